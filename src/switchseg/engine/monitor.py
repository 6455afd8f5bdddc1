"""What a training tells: the journal, TensorBoard, and a progress bar or plain lines. Only the first rank speaks."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rich.console
import rich.progress
import torch
from PIL import Image
from torch.utils.tensorboard import SummaryWriter

from switchseg.classes import Classes
from switchseg.engine.environment import describe_environment
from switchseg.engine.pictures import overlay
from switchseg.engine.training import Training
from switchseg.norms import norm_shares
from switchseg.runs.directory import RunDirectory
from switchseg.runs.journal import Journal


class Monitor(contextlib.AbstractContextManager["Monitor"]):
    """Measures the loop and records it.

    Args:
        run: where journal and TensorBoard files go.
        training: the training to report on, at the step it starts or goes on from.
        resumed: whether earlier events of the journal are kept.
        images: how many images one epoch has.
    """

    def __init__(self, run: RunDirectory, training: Training, resumed: bool, images: int) -> None:
        environment = describe_environment(training, images)
        self._training = training
        self._images = images
        self._began = self._since = time.perf_counter()
        self._waited = 0.0
        self.waited_seconds = 0.0
        """Time that all steps so far spent waiting for their data."""
        self._steps = 0
        self._speaks = training.world.is_main
        if self._speaks:
            self.journal = Journal(run.journal, training.step if resumed else None)
            self._board = SummaryWriter(str(run.tensorboard), purge_step=training.step + 1 if resumed else None)
            self._board.add_text("run/config", f"```yaml\n{run.config.read_text()}\n```", training.step)
            self._board.add_text("run/environment", f"```json\n{json.dumps(environment, indent=2)}\n```", training.step)
            self._console = rich.console.Console()
            self._bar = _progress_bar(self._console)
            self._task = self._bar.add_task("training", total=training.config.train.steps, completed=training.step)
            self._bar.start()
            if not resumed:
                self.event("start", **environment)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._speaks:
            self._bar.stop()
            self._board.close()
            self.journal.close()

    @property
    def seconds(self) -> float:
        """Wall time since this process began to train."""
        return time.perf_counter() - self._began

    def waited(self, seconds: float) -> None:
        """Count time that a step spent waiting for its data."""
        self._waited += seconds
        self.waited_seconds += seconds
        self._steps += 1

    def step_done(self) -> None:
        """Move the bar, and log where it is time to. Every rank must call it after each step.

        Raises:
            UserError: it is time to log, and the loss of the last step is not finite.
        """
        training, config = self._training, self._training.config.train
        if self._speaks:
            self._bar.update(self._task, completed=training.step)
        last = training.step == config.steps
        numbers = last or training.step % config.log_every == 0
        shares = bool(config.log_shares_every) and (last or training.step % config.log_shares_every == 0)
        if numbers or shares:
            training.guard.settle()
        if numbers:
            self._log()
        if shares and self._speaks:
            self._log_shares()

    def event(self, event: str, **values: Any) -> None:
        """Record an event of the current step."""
        if self._speaks:
            self.journal.write(event, self._training.step, **values)

    def say(self, line: str) -> None:
        """Print one line for the user, above the bar where there is one."""
        if self._speaks:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show_pictures(self, folder: Path, classes: Classes) -> None:
        """Give TensorBoard the images of `folder` with their predicted labels laid over them."""
        for path in sorted(folder.glob("*_labels.png")):
            name = path.name.removesuffix("_labels.png")
            image = np.asarray(Image.open(folder / f"{name}_image.jpg"))
            tinted = overlay(image, np.asarray(Image.open(path)), classes)
            self._board.add_image(f"pictures/{name}", tinted, self._training.step, dataformats="HWC")

    def _log(self) -> None:
        training = self._training
        reading = training.meter.read(training.world)
        elapsed = max(time.perf_counter() - self._since, 1e-9)
        speed = self._steps * training.images_per_step / elapsed
        record: dict[str, Any] = {
            "epoch": round(training.step * training.images_per_step / self._images, 4),
            "loss": reading.loss,
            "accuracy": reading.accuracy,
            "mean_iou": reading.mean_iou,
            "lr": training.rates(training.step - 1),
            "images_per_second": round(speed, 3),
            "data_wait": round(self._waited / elapsed, 4),
        }
        if training.world.device.type == "cuda":
            record["device_memory"] = torch.cuda.max_memory_allocated(training.world.device)
        self._since, self._waited, self._steps = time.perf_counter(), 0.0, 0
        if not self._speaks:
            return
        self.event("train", **record)
        self._board_scalars(record)
        text = (
            f"loss {reading.loss:.4f}  accuracy {reading.accuracy:.3f}  mIoU {reading.mean_iou:.3f}  "
            f"{speed:.1f} images/s  data wait {100 * record['data_wait']:.1f} %"
        )
        self._bar.update(self._task, description=text)
        if not self._console.is_terminal:
            self.say(f"step {training.step}/{training.config.train.steps}  {text}")

    def _board_scalars(self, record: dict[str, Any]) -> None:
        for key, value in record.items():
            values = value if isinstance(value, dict) else {"": value}
            for part, number in values.items():
                self._board.add_scalar(f"train/{key}{'/' + part if part else ''}", number, self._training.step)

    def _log_shares(self) -> None:
        shares = norm_shares(self._training.model)
        if not shares:
            return
        self.event("shares", layers=shares)
        for layer, moments in shares.items():
            for moment, parts in moments.items():
                for statistic, share in parts.items():
                    self._board.add_scalar(f"shares/{layer}/{moment}/{statistic}", share, self._training.step)


def _progress_bar(console: rich.console.Console) -> rich.progress.Progress:
    return rich.progress.Progress(
        rich.progress.MofNCompleteColumn(),
        rich.progress.BarColumn(bar_width=24),
        rich.progress.TextColumn("{task.description}"),
        rich.progress.TextColumn("ETA"),
        rich.progress.TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
