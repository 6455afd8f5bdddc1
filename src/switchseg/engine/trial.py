"""A training that is looked at while it lasts and leaves no files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

import torch

from switchseg.checkpoints.start import start_model
from switchseg.config.schema import RunConfig
from switchseg.data.dataset import Dataset
from switchseg.data.sample import Batch
from switchseg.data.workers import dead_workers_named
from switchseg.distributed import World
from switchseg.engine.setup import batches_from
from switchseg.engine.step import Stepper
from switchseg.engine.streams import own_stream
from switchseg.engine.training import Training


@contextlib.contextmanager
def trial(
    config: RunConfig, dataset: Dataset, world: World, class_weights: Sequence[float] | None = None
) -> Iterator[tuple[Training, Stepper, Iterator[Batch]]]:
    """Start the training of `config`, whose length is in steps, and yield it with its stepper and its batches."""
    with own_stream(world.device):
        torch.manual_seed(config.train.seed)
        training = Training.start(config, world, start_model(config.model, dataset.classes, _silent), class_weights)
        training.set_training_mode()
        with contextlib.closing(batches_from(training, dataset)) as batches, dead_workers_named():
            yield training, Stepper(training), batches


def _silent(line: str) -> None:
    """Say nothing: the training itself will."""
