"""What the loop of a training adds to its computation, and how long it waits for data."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from unittest import mock

import torch

from switchseg.config import yaml
from switchseg.config.schema import RunConfig
from switchseg.engine import train as train_module
from switchseg.engine.interrupt import StopRequest
from switchseg.engine.monitor import Monitor
from switchseg.engine.setup import batches_from, open_training
from switchseg.engine.train import run_steps
from switchseg.engine.training import Training
from switchseg.runs.directory import RunDirectory

WARM_UP = 3
"""Steps before the measured ones."""


def measure(training: Training, steps: int, run: RunDirectory) -> Iterator[dict[str, object]]:
    """Yield the share of the real loop that is neither forward, loss, backward nor optimizer, and that of waiting.

    The checkpoint that ends the loop is a row of its own: how often there is one is the user's choice.

    Args:
        training: of `WARM_UP` steps, at its start.
        steps: how many are measured.
        run: where the loop keeps its files.
    """
    yaml.save(run.config, training.config)
    clock, saving = _Clock(), _Clock()
    dataset = open_training(training.config.data)
    with (
        Monitor(run, training, resumed=False, images=len(dataset)) as monitor,
        clock.watching(training),
        mock.patch.object(train_module, "save", saving.timed(train_module.save)),
    ):
        whole = _longer(training.config, WARM_UP + steps)
        with closing(_ahead(training, whole, dataset)) as batches:
            run_steps(training, batches, run, monitor, StopRequest(), dataset)
            training.config = whole
            clock.seconds, saving.seconds, waited_before = 0.0, 0.0, monitor.waited_seconds
            began = time.perf_counter()
            run_steps(training, batches, run, monitor, StopRequest(), dataset)
            wall = time.perf_counter() - began - saving.seconds
        waited = monitor.waited_seconds - waited_before
    for name, share in (("loop overhead", (wall - clock.seconds - waited) / wall), ("data wait", waited / wall)):
        yield {"measure": name, "median": round(share, 5), "unit": "share"}
    yield {"measure": "checkpoint", "median": round(saving.seconds, 3), "unit": "s"}


def _longer(config: RunConfig, steps: int) -> RunConfig:
    train = dataclasses.replace(config.train, steps=steps, checkpoint_every=steps)
    return dataclasses.replace(config, train=train)


def _ahead(training: Training, config: RunConfig, dataset: object) -> Iterator[object]:
    """Yield the batches of the longer run that `config` says; the training itself goes on with its own config."""
    short = training.config
    training.config = config
    batches = batches_from(training, dataset)  # type: ignore[arg-type]
    first = next(batches)
    training.config = short
    yield first
    yield from batches


class _Clock:
    """Seconds inside the model, the loss, the backward pass and the optimizer."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def start(self, *_: object) -> None:
        self._began = time.perf_counter()

    def stop(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began

    def timed(self, work: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            self.start()
            try:
                return work(*arguments, **options)
            finally:
                self.stop()

        return call

    @contextmanager
    def watching(self, training: Training) -> Iterator[None]:
        handles = [
            training.forward.register_forward_pre_hook(self.start),
            training.forward.register_forward_hook(self.stop),
            training.optimizer.register_step_pre_hook(self.start),
            training.optimizer.register_step_post_hook(self.stop),
        ]
        # To let go of the gradients is the optimizer's work too: 1 % of a step, as the system takes their memory back.
        timed = [(torch.Tensor, "backward"), (training.criterion, "sums"), (training.optimizer, "zero_grad")]
        with ExitStack() as undone:
            for handle in handles:
                undone.callback(handle.remove)
            for owner, name in timed:
                undone.enter_context(mock.patch.object(owner, name, self.timed(getattr(owner, name))))
            yield
