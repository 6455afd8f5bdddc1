"""Weights & Biases: `train.recorders: [wandb]`, with the variables of the environment that W&B has (WANDB_MODE ...)."""

from __future__ import annotations

import os
import uuid

import numpy as np
import numpy.typing as npt

from switchseg.errors import UserError
from switchseg.recorders.recorder import Event, Outcome, Recorder, Start

try:
    import wandb
except ModuleNotFoundError:
    raise UserError("train.recorders: wandb is not installed; pip install 'switchseg[wandb]'") from None

_EXIT_CODES: dict[Outcome, int] = {"finished": 0, "stopped": 75, "failed": 1}


class WandB(Recorder):
    """Scalars, shares, pictures, config and environment, as one run of W&B however often the training goes on.

    Of the steps that come again after a crash W&B keeps what it has.
    """

    def __init__(self, start: Start) -> None:
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "switchseg"),
            name=os.environ.get("WANDB_NAME", start.folder.resolve().name),
            # An id of our own, kept in the run directory, so that a run that goes on finds itself again.
            id=start.kept_name("wandb.txt", lambda: uuid.uuid4().hex[:8]),
            dir=str(start.folder),
            config={**start.config, "start": dict(start.environment)},
            resume="allow",
            settings=wandb.Settings(console="off"),  # it would take the bar for hundreds of lines
        )

    def record(self, event: Event) -> None:  # noqa: D102
        # W&B takes steps in rising order only and warns of each that is not.
        if event.scalars and event.step >= self._run.step:
            self._run.log(event.scalars, step=event.step)

    def picture(self, name: str, pixels: npt.NDArray[np.uint8], step: int) -> None:  # noqa: D102
        self._run.log({f"pictures/{name}": wandb.Image(pixels)}, step=step)

    def close(self, outcome: Outcome) -> None:  # noqa: D102
        self._run.finish(exit_code=_EXIT_CODES[outcome])
