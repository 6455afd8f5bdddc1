"""Measuring before a training: how many images fit into memory at once, and how long its parts take."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from switchseg.config.schema import RunConfig
from switchseg.data.composed import Subset
from switchseg.data.dataset import Dataset
from switchseg.distributed import World
from switchseg.engine.evaluate import evaluate
from switchseg.engine.memory import Memory
from switchseg.engine.training import Training
from switchseg.engine.trial import trial
from switchseg.errors import UserError

MEMORY_SHARE = 0.8
"""The part of the free memory that a training may take: other programs come and go."""
_FIT_STEPS = 3
"""A step is recorded as a CUDA graph when its shape comes again, which takes memory of its own."""
_WARM_STEPS, _TIMED_STEPS, _TIMED_IMAGES = 3, 6, 4


@dataclass(frozen=True)
class Fit:
    """How many images fit at once."""

    images_per_device: int
    peak_bytes: dict[int, int]
    """Images at once -> the memory that training and validation took."""
    free_bytes: int

    def to_json(self) -> dict[str, Any]:
        """Return what is recorded of it."""
        return {**asdict(self), "peak_bytes": {str(images): size for images, size in self.peak_bytes.items()}}


@dataclass(frozen=True)
class Speed:
    """How long the parts of a training take, in seconds."""

    start: float
    """Building the model and reading ahead."""
    step: float
    """One optimizer step, accumulation included."""
    image: float
    """Evaluating one image."""


def largest_batch(config: RunConfig, dataset: Dataset, world: World, wanted: int) -> Fit:
    """Return the largest power of two of images, up to `wanted`, that training and validation both fit at once.

    Each is tried with real steps and the largest image of the data set; the next one only if twice the memory is
    there.

    Raises:
        UserError: not even one image fits.
    """
    memory = Memory(world.device)
    peaks: dict[int, int] = {}
    # Asked once, before anything was tried: what tries leave behind would make it less.
    images, free = 1, memory.free()
    largest = int(np.prod(dataset.sizes().astype(np.int64), axis=1).argmax())
    while images <= wanted and (not peaks or 2 * max(peaks.values()) <= MEMORY_SHARE * free):
        peak = _peak(_with_images(config, images), dataset, largest, world, memory)
        if peak is None:
            break
        peaks[images] = peak
        images *= 2
    if not peaks:
        height, width = config.data.crop_size
        raise UserError(
            f"{config.data.root}: not even one crop of {width}x{height} pixels fits into the {free / 2**30:.1f} GiB "
            "that are free; close other programs, or pass a smaller --encoder"
        )
    return Fit(max(peaks), peaks, free)


def measure_speed(config: RunConfig, dataset: Dataset, validation: Dataset, world: World) -> Speed:
    """Time the parts of the training that `config` describes, with its own batches."""
    began = time.perf_counter()
    with _training(config, dataset, world) as (training, step):
        # Left out of the time: kernels are chosen, memory is allocated and graphs are recorded in the first steps.
        for _ in range(_WARM_STEPS):
            step()
        training.guard.settle()
        started = time.perf_counter()
        for _ in range(_TIMED_STEPS):
            step()
        training.guard.settle()
        per_step = (time.perf_counter() - started) / _TIMED_STEPS
        few = Subset(validation, range(min(_TIMED_IMAGES, len(validation))))
        # Warms up evaluation, as the first steps did training.
        _evaluate(training, Subset(few, [0]))
        evaluated = time.perf_counter()
        _evaluate(training, few)
        per_image = (time.perf_counter() - evaluated) / len(few)
        start = started - began - _WARM_STEPS * per_step
    return Speed(max(0.0, start), per_step, per_image)


def _with_images(config: RunConfig, images: int) -> RunConfig:
    return replace(
        config,
        train=replace(config.train, images_per_device=images, accumulate=1, steps=_FIT_STEPS),
        # No processes for three steps: starting them takes longer, and theirs is not the memory that is measured.
        data=replace(config.data, workers=0),
    )


def _peak(config: RunConfig, dataset: Dataset, largest: int, world: World, memory: Memory) -> int | None:
    """Return the most memory that steps and an evaluation took, None if it was not there."""
    try:
        with memory.peak() as peak, _training(config, dataset, world) as (training, step):
            for _ in range(_FIT_STEPS):
                step()
            training.guard.settle()
            _evaluate(training, Subset(dataset, [largest]))
    except (MemoryError, RuntimeError) as error:
        # The allocator of the CPU has no class of its own for it.
        if not isinstance(error, (MemoryError, torch.OutOfMemoryError)) and "can't allocate memory" not in str(error):
            raise
        return None
    finally:
        memory.give_back()
    return peak.size


@contextlib.contextmanager
def _training(config: RunConfig, dataset: Dataset, world: World) -> Iterator[tuple[Training, Any]]:
    """Start the training of `config` and yield it with what does its next step; it leaves no files."""
    steps = replace(config.train, epochs=None, steps=max(config.train.steps or 0, _WARM_STEPS + _TIMED_STEPS))
    with trial(replace(config, train=steps), dataset, world) as (training, stepper, batches):

        def step() -> None:
            stepper([next(batches) for _ in range(config.train.accumulate)])

        yield training, step


def _evaluate(training: Training, dataset: Dataset) -> None:
    with contextlib.suppress(UserError):  # an image may have no labelled pixel, and weights of a few steps may overflow
        evaluate(training.model, dataset, training.config.evaluate.single_rule, quiet=True)
