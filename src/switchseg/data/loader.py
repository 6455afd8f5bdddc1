"""Batches for training: read ahead in worker processes, in an order that depends on the seed and the step alone."""

from __future__ import annotations

import copy
import logging
from collections.abc import Generator, Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader

from switchseg.data import PIPELINES
from switchseg.data.config import DataConfig
from switchseg.data.dataset import Dataset
from switchseg.data.images import check_decoder
from switchseg.data.pipelines import Pipeline
from switchseg.data.sample import Batch
from switchseg.data.workers import death, start_worker
from switchseg.errors import UserError
from switchseg.plugins import WithPlugins

_log = logging.getLogger(__name__)


class Loader:
    """The sub-batches of one rank for the steps `start_step` .. `steps` - 1."""

    def __init__(
        self, pipeline: Pipeline, workers: int, rank: int, world_size: int, start_step: int, steps: int
    ) -> None:
        self.skipped: set[str] = set()
        """Why images were skipped so far (`on_error: skip`), one line each."""
        self._pipeline, self._order = pipeline, pipeline.order()
        self._rank, self._world_size = rank, world_size
        self._steps = range(start_step, steps)
        self._workers = workers

    def __len__(self) -> int:
        return len(self._steps)

    def epoch(self, step: int) -> int:
        """Return the epoch, from 0, that this rank is in at `step`."""
        return self._pipeline.epoch(self._order, step * self._world_size + self._rank)

    def __iter__(self) -> Generator[Batch, None, None]:
        batches: Iterator[Batch | UserError] = iter(
            DataLoader(
                _SubBatches(self._pipeline),  # type: ignore[arg-type]
                # The pipeline makes whole sub-batches, so that torch has nothing to collate.
                batch_size=None,
                # Looked up in this process, or each worker would hold its own permutation of all records.
                sampler=self._plan(),
                num_workers=self._workers,
                collate_fn=_unchanged,  # type: ignore[arg-type]
                worker_init_fn=start_worker,
                pin_memory=torch.cuda.is_available(),
                # The DataLoader draws a seed for its workers: from this generator, since the global one is that of
                # dropout, which resuming would shift.
                generator=torch.Generator(),
            )
        )
        try:
            for _ in self._steps:
                batch = _next(batches)
                if isinstance(batch, UserError):
                    # Ends the workers; the traceback would keep them otherwise.
                    del batches
                    raise batch
                self._report(batch)
                yield batch
        finally:
            if self.skipped:
                _log.warning("%d files were skipped in all (data.on_error: skip)", len(self.skipped))

    def _report(self, batch: Batch) -> None:
        for reason in batch.skipped:
            # A file that cannot be read comes again in every epoch, but is worth one line only.
            if reason not in self.skipped:
                self.skipped.add(reason)
                _log.warning("skipped: %s", reason)

    def _plan(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the number and the records of one sub-batch after another; only this process holds the order."""
        for step in self._steps:
            # Ranks take turns in one order, so that no sub-batch comes twice.
            number = step * self._world_size + self._rank
            yield number, self._pipeline.records(self._order, number)


class _SubBatches:
    """What the DataLoader calls in a worker. Mistakes come back as values: raised ones would lose their one line."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = WithPlugins(pipeline)

    def __getitem__(self, plan: tuple[int, np.ndarray]) -> Batch | UserError:
        try:
            return self._pipeline.value.batch(*plan)
        except UserError as error:
            return error


def build_loader(
    config: DataConfig,
    dataset: Dataset,
    *,
    images_per_rank: int,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
    start_step: int = 0,
    steps: int,
    stride: int,
) -> Loader:
    """Return the sub-batches that `rank` sees in the steps `start_step` .. `steps` - 1, with labels at 1 / `stride`.

    The same call gives the same batches, whatever the number of workers and whichever step it starts from. With the
    pipelines `crop` and `augment` the images of a step and what is made of each depend on the number of images of all
    ranks only.

    Raises:
        UserError: a setting does not fit; while iterating, a file cannot be used, or a worker died.
    """
    check_decoder(config.decoder)
    if not len(dataset):
        raise UserError(f"{config.root}: the data set {dataset.name} has no images")
    dataset = copy.copy(dataset)  # the caller's own stays as it is
    dataset.decoder = config.decoder
    pipeline = PIPELINES[config.pipeline](config, dataset, images_per_rank, seed, stride)
    return Loader(pipeline, config.workers, rank, world_size, start_step, steps)


def _next(batches: Iterator[Batch | UserError]) -> Batch | UserError:
    """Return the next batch, or why there is none."""
    try:
        return next(batches)
    except (RuntimeError, EOFError, ConnectionError, FileNotFoundError) as error:
        # The last three are what fetching from a worker that has just died may end with.
        if named := death(error):
            return named
        raise


def _unchanged(batch: Batch | UserError) -> Batch | UserError:
    return batch
