"""What a training tells: measurements of the loop, handed to the recorders of `train.recorders`."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from operator import methodcaller
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from PIL import Image

from switchseg.classes import Classes
from switchseg.config import yaml
from switchseg.engine.environment import describe_environment
from switchseg.engine.pictures import overlay
from switchseg.engine.training import Training
from switchseg.errors import UserError
from switchseg.norms import norm_shares
from switchseg.recorders import ALWAYS, RECORDERS, Event, Outcome, Recorder, Start
from switchseg.runs.directory import RunDirectory

_log = logging.getLogger(__name__)


class Monitor(contextlib.AbstractContextManager["Monitor"]):
    """Measures the loop and tells the recorders. Only the first rank has any.

    Args:
        run: where the recorders keep their files; its config has been written.
        training: the training to report on, at the step it starts or goes on from.
        resumed: whether earlier events are kept.
        images: how many images one epoch has.

    Raises:
        UserError: a recorder is not installed.
    """

    def __init__(self, run: RunDirectory, training: Training, resumed: bool, images: int) -> None:
        self._training, self._images = training, images
        self._waited = 0.0
        self.waited_seconds = 0.0
        """Time that all steps so far spent waiting for their data."""
        self._steps = 0
        self._outcome: Outcome = "stopped"
        self._recorders: dict[str, Recorder] = {}
        if training.world.is_main:
            self._open(run, resumed)
        # From here on, so that a recorder that takes its time to begin slows no step down.
        self._began = self._since = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close(self._outcome if kind is None else "failed")

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
        self._tell(lambda recorder: recorder.advance(training.step))
        last = training.step == training.steps
        numbers = last or training.step % config.log_every == 0
        shares = bool(config.log_shares_every) and (last or training.step % config.log_shares_every == 0)
        # Before anything is written, so that no log holds a loss that is not finite as if it were a measurement.
        if numbers or shares:
            training.guard.settle()
        if numbers:
            # Read on every rank, though only the first has recorders: the meter sums over ranks.
            self.event("train", **self._reading())
        # The shares are the same on every rank and reading them waits for the device: one rank pays for it.
        if shares and self._recorders and (layers := norm_shares(training.model)):
            self.event("shares", layers=layers)

    def event(self, kind: str, **values: Any) -> None:
        """Record an event of the current step."""
        event = Event(kind, self._training.step, values)
        self._tell(lambda recorder: recorder.record(event))
        # A run that a signal ends without an error never gets here, and stays "stopped".
        if kind == "end":
            self._outcome = "finished"

    def say(self, line: str) -> None:
        """Tell the user one line."""
        self._tell(lambda recorder: recorder.say(line))

    def sync(self) -> None:
        """Return when everything recorded so far is safe."""
        self._tell(lambda recorder: recorder.sync())

    def show_pictures(self, folder: Path, classes: Classes) -> None:
        """Record the images of `folder` with their predicted labels laid over them."""
        for path in sorted(folder.glob("*_labels.png")):
            name = path.name.removesuffix("_labels.png")
            image = np.asarray(Image.open(folder / f"{name}_image.jpg"))
            tinted = overlay(image, np.asarray(Image.open(path)), classes)
            self._tell(methodcaller("picture", name, tinted, self._training.step))

    def _open(self, run: RunDirectory, resumed: bool) -> None:
        training, config = self._training, self._training.config
        environment = describe_environment(training, self._images)
        start = Start(run.path, yaml.to_mapping(config), environment, training.step, training.steps, resumed)
        try:
            for name in dict.fromkeys((*ALWAYS, *config.train.recorders)):
                with self._surviving(name, UserError):
                    self._recorders[name] = RECORDERS[name](start)
        except BaseException:
            self._close("failed")
            raise
        self.event("resume" if resumed else "start", **environment)

    def _close(self, outcome: Outcome) -> None:
        for name in reversed([*self._recorders]):  # the journal last
            with self._surviving(name):
                self._recorders[name].close(outcome)

    def _tell(self, call: Callable[[Recorder], None]) -> None:
        # A copy of the names: a recorder that fails is taken out on the way.
        for name in [*self._recorders]:
            with self._surviving(name):
                call(self._recorders[name])

    @contextlib.contextmanager
    def _surviving(self, name: str, *but: type[Exception]) -> Iterator[None]:
        """Go on without the recorder `name` if it fails; raise what a recorder of every training raises, and `but`."""
        try:
            yield
        except Exception as error:  # whatever a server, a disk or a plugin may come up with
            if name in ALWAYS or isinstance(error, but):
                raise
            self._recorders.pop(name, None)
            reason = " ".join(str(error).split())[:300]
            _log.warning("the recorder %s has failed, the training goes on without it: %s", name, reason)

    def _reading(self) -> dict[str, Any]:
        """Return what the meter has measured since the last time, and how fast. Every rank must call it."""
        training = self._training
        reading = training.meter.read(training.world)
        elapsed = max(time.perf_counter() - self._since, 1e-9)
        record: dict[str, Any] = {
            "epoch": round(training.step * training.images_per_step / self._images, 4),
            "loss": reading.loss,
            "accuracy": reading.accuracy,
            "mean_iou": reading.mean_iou,
            # The step has been counted already; its rate is that of the number before.
            "lr": training.rates(training.step - 1),
            "images_per_second": round(self._steps * training.images_per_step / elapsed, 3),
            "data_wait": round(self._waited / elapsed, 4),
        }
        if training.world.device.type == "cuda":
            record["device_memory"] = torch.cuda.max_memory_allocated(training.world.device)
        self._since, self._waited, self._steps = time.perf_counter(), 0.0, 0
        return record
