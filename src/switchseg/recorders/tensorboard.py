"""TensorBoard's event files, in the folder `tensorboard` of a run directory."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt

from switchseg.errors import UserError
from switchseg.recorders.recorder import Event, Outcome, Recorder, Start

try:
    from torch.utils.tensorboard import SummaryWriter
except ModuleNotFoundError:
    raise UserError("train.recorders: tensorboard is not installed; pip install tensorboard") from None


class TensorBoard(Recorder):
    """Scalars, shares, pictures, config and environment. Steps that come again after a crash are purged."""

    def __init__(self, start: Start) -> None:
        config = (start.folder / "config.yaml").read_text(encoding="utf-8")
        # TensorBoard purges this step and all later ones; the one that was reached stays.
        purge = start.step + 1 if start.resumed else None
        self._writer = SummaryWriter(str(start.folder / "tensorboard"), purge_step=purge)
        self._writer.add_text("run/config", f"```yaml\n{config}\n```", start.step)
        self._writer.add_text("run/environment", f"```json\n{json.dumps(start.environment, indent=2)}\n```", start.step)

    def record(self, event: Event) -> None:  # noqa: D102
        for name, number in event.scalars.items():
            self._writer.add_scalar(name, number, event.step)

    def picture(self, name: str, pixels: npt.NDArray[np.uint8], step: int) -> None:  # noqa: D102
        self._writer.add_image(f"pictures/{name}", pixels, step, dataformats="HWC")

    def close(self, outcome: Outcome) -> None:  # noqa: D102
        self._writer.close()
