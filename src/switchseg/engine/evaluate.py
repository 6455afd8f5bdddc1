"""Scores a model on a data set: images in, one confusion matrix out."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from switchseg import files
from switchseg.data.classes import Classes
from switchseg.data.dataset import Dataset
from switchseg.data.sample import Sample
from switchseg.distributed import World
from switchseg.engine.ahead import read_ahead
from switchseg.engine.inference import Precision, Rule, evaluating, fuse, logit_maps
from switchseg.engine.pictures import write_pictures
from switchseg.engine.progress import progress
from switchseg.errors import UserError
from switchseg.metrics import Scores, confusion_matrix, scores
from switchseg.models.segmenter import Segmenter

SCORING = "confusion matrix over the whole data set, unlabelled pixels left out"


@dataclass(frozen=True)
class Evaluation:
    """Scores together with how they were made."""

    scores: Scores
    matrix: npt.NDArray[np.int64]
    """Pixel counts [C, C]; rows are the truth."""
    rule: Rule
    images: int
    seconds: float
    """Wall time, reading the images included."""

    def to_json(self) -> dict[str, Any]:
        """Return what `switchseg evaluate --json` writes."""
        return {
            **self.scores.to_json(),
            "images": self.images,
            "short_sides": list(self.rule.short_sides),
            "flip": self.rule.flip,
            "seconds": round(self.seconds, 3),
            "rule": f"{self.rule.describe()}; {SCORING}",
        }


def evaluate(
    model: Segmenter,
    dataset: Dataset,
    rule: Rule = Rule(),  # noqa: B008 - frozen
    *,
    world: World | None = None,
    precision: Precision = "fp32",
    images_per_batch: int = 1,
    save: Path | None = None,
    pictures: int | None = None,
    quiet: bool = False,
) -> Evaluation:
    """Score `model` on every image of `dataset`, on the device that the model is on.

    Args:
        model: Left in the modes (training or evaluation) that its layers are in.
        dataset: Images with labels; the predictions are compared at the labels' size.
        rule: Scales, windows and flips.
        world: Every rank takes its share of the images, each exactly once; all return the same evaluation.
        precision: fp32, or the type that autocast computes in.
        images_per_batch: Images of equal size that the network sees at once.
        save: Folder for pictures of the images, their truth and their labels.
        pictures: How many images to save, spread over the data set; None saves all.
        quiet: Show no progress.

    Raises:
        UserError: the model has another number of classes than the data, an image cannot be read or has no label,
            there is no image, or the model's output is not finite.
    """
    check_classes(model, dataset)
    world = world or World(rank=0, size=1, device=next(model.parameters()).device)
    num_classes = len(dataset.classes)
    own = range(world.rank, len(dataset), world.size)
    kept = _spread(len(dataset), len(dataset) if pictures is None else pictures) if save is not None else frozenset()
    matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64)
    started = time.perf_counter()
    show = world.is_main and not quiet
    with evaluating(model), progress("evaluate", len(own), shown=show) as count:
        for indices, samples in _batches(dataset, own, images_per_batch):
            for index, sample, (labels, confidence) in zip(
                indices, samples, _labelled(model, samples, rule, precision), strict=True
            ):
                matrix += confusion_matrix(labels, _truth(sample), num_classes)
                if save is not None and index in kept:
                    write_pictures(save, sample, labels, confidence, dataset.classes)
            count(len(samples))
    matrix = world.sum(matrix.to(world.device)).cpu()
    if not matrix.any():
        raise UserError(f"data set {dataset.name}: none of its {len(dataset)} images has a labelled pixel")
    return Evaluation(
        scores=scores(matrix, dataset.classes),
        matrix=matrix.numpy(),
        rule=rule,
        images=len(dataset),
        seconds=time.perf_counter() - started,
    )


def check_classes(model: Segmenter, dataset: Dataset) -> None:
    """Raise a UserError unless the model has as many classes as the data."""
    if model.spec.num_classes != len(dataset.classes):
        raise UserError(
            f"the model has {model.spec.num_classes} classes but data set {dataset.name} has {len(dataset.classes)}; "
            "give the data set that the model was made for, or train a model on this one"
        )


def write_confusion(path: Path, matrix: npt.NDArray[np.int64], classes: Classes) -> None:
    """Write the confusion matrix as CSV with the class names in its first row and column; rows are the truth."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["truth \\ prediction", *classes.names])
    table.writerows([name, *row.tolist()] for name, row in zip(classes.names, matrix, strict=True))
    files.write_text(path, text.getvalue())


def _labelled(
    model: Segmenter, samples: Sequence[Sample], rule: Rule, precision: Precision
) -> Iterator[tuple[npt.NDArray[np.integer], npt.NDArray[np.float32]]]:
    try:
        maps = logit_maps(model, [sample.image for sample in samples], rule, precision)
    except ValueError as error:
        names = ", ".join(sample.name for sample in samples)
        raise UserError(f"{names}: {error}; the model is broken, or --precision fp32 is needed") from None
    for sample, own in zip(samples, maps, strict=True):
        height, width = _truth(sample).shape
        yield fuse(own, (height, width))


def _truth(sample: Sample) -> npt.NDArray[np.integer]:
    if sample.label is None:
        raise UserError(f"{sample.name}: an image without a label cannot be scored; `switchseg predict` labels it")
    return sample.label


def _batches(dataset: Dataset, indices: Sequence[int], size: int) -> Iterator[tuple[list[int], list[Sample]]]:
    """Yield the samples in order with their indices, up to `size` at once while neighbours have equal sizes."""
    numbers: list[int] = []
    samples: list[Sample] = []
    for index, reading in read_ahead(dataset.read, indices, depth=2 * size):
        sample = reading.result()
        if samples and (len(samples) == size or samples[0].image.shape != sample.image.shape):
            yield numbers, samples
            numbers, samples = [], []
        numbers.append(index)
        samples.append(sample)
    if samples:
        yield numbers, samples


def _spread(images: int, count: int) -> frozenset[int]:
    return frozenset(np.linspace(0, images - 1, min(count, images)).round().astype(int).tolist())
