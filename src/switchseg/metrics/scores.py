"""From a confusion matrix to scores.

What "mIoU" means is decided here and nowhere else: intersections and unions are summed over the data set (never
averaged per image) and `mean_iou` is over the classes that occur in the truth or in the prediction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from switchseg.results import ClassScore, Scores

Matrix: TypeAlias = "torch.Tensor | npt.NDArray[np.int64]"
"""Pixel counts [C, C], rows are the truth."""


class Named(Protocol):
    """Anything that names its classes, as `classes.Classes` does."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names in label order."""


def scores(matrix: Matrix, classes: Named) -> Scores:
    """Read the scores off a confusion matrix.

    Args:
        matrix: Pixel counts [C, C], rows are the truth.
        classes: The names of the C classes.

    Raises:
        ValueError: the matrix does not fit the classes, or holds no pixel at all.
    """
    counts = _array(matrix)
    if counts.shape != (len(classes.names),) * 2:
        raise ValueError(f"a {counts.shape} matrix for {len(classes.names)} classes")
    if not counts.any():
        raise ValueError("no labelled pixel was counted, so there is nothing to score")
    intersection, truth, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    union = truth + predicted - intersection
    # 0 / 1 and not NaN where a class never occurs: the rule of 2018 counts it as 0.
    iou = intersection / np.maximum(union, 1)
    accuracy = intersection / np.maximum(truth, 1)
    found = pixel_accuracy(counts)
    return Scores(
        mean_iou=mean_iou(counts),
        mean_iou_all_classes=float(iou.mean()),
        pixel_accuracy=found,
        overall_score=float((found + iou.mean()) / 2),
        # There is a class with truth, since some pixel was counted.
        mean_class_accuracy=float(accuracy[truth > 0].mean()),
        frequency_weighted_iou=float(iou @ truth / truth.sum()),
        per_class=tuple(
            ClassScore(
                index=index,
                name=name,
                iou=float(iou[index]) if union[index] else None,
                accuracy=float(accuracy[index]) if truth[index] else None,
                pixels=int(truth[index]),
                dice=float(2 * intersection[index] / (truth[index] + predicted[index])) if union[index] else None,
                precision=float(intersection[index] / predicted[index]) if predicted[index] else None,
            )
            for index, name in enumerate(classes.names)
        ),
    )


def mean_iou(matrix: Matrix) -> float:
    """Return the mean IoU over the classes that occur in the truth or in the prediction; NaN where none does."""
    counts = _array(matrix)
    hits, union = counts.diagonal(), counts.sum(0) + counts.sum(1) - counts.diagonal()
    return float((hits[union > 0] / union[union > 0]).mean()) if union.any() else math.nan


def pixel_accuracy(matrix: Matrix) -> float:
    """Return the share of the labelled pixels whose class was found; NaN where there is none."""
    counts = _array(matrix)
    return float(counts.trace() / counts.sum()) if counts.any() else math.nan


def _array(matrix: Matrix) -> npt.NDArray[np.int64]:
    return np.asarray(matrix.cpu() if isinstance(matrix, torch.Tensor) else matrix)


@dataclass(frozen=True)
class ImageScore:
    """The scores of one image, as fractions of one; both are NaN where it has no labelled pixel."""

    name: str
    mean_iou: float
    """Over the classes that occur in the image's truth or prediction; never averaged into a data set's mIoU."""
    pixel_accuracy: float


def image_score(name: str, matrix: torch.Tensor) -> ImageScore:
    """Read the scores of one image off its confusion matrix [C, C]."""
    return ImageScore(name, mean_iou(matrix), pixel_accuracy(matrix))
