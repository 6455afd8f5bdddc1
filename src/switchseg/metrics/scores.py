"""From label maps to scores: one confusion matrix over the whole data set, and every number read off it.

What "mIoU" means is decided here and nowhere else: intersections and unions are summed over the data set (never
averaged per image), pixels whose label is outside 0 .. C - 1 count nowhere, neither do the predictions on them, and
`mean_iou` is over the classes that occur in the truth or in the prediction.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt
import torch


class Named(Protocol):
    """Anything that names its classes, as `data.classes.Classes` does."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names in label order."""


@dataclass(frozen=True)
class ClassScore:
    """The scores of one class; a fraction that would be 0 / 0 is None."""

    index: int
    name: str
    iou: float | None
    """None where the class occurs neither in the truth nor in the prediction."""
    accuracy: float | None
    """Share of the class's pixels that were found; None where the truth has none."""
    pixels: int
    """Pixels of the class in the truth."""


@dataclass(frozen=True)
class Scores:
    """Dataset-level scores, as fractions of one."""

    mean_iou: float
    """Over the classes that occur in the truth or in the prediction."""
    mean_iou_all_classes: float
    """Over all classes; one that never occurs counts 0 (the rule of 2018)."""
    pixel_accuracy: float
    overall_score: float
    """Mean of `pixel_accuracy` and `mean_iou_all_classes`: the score of the ADE20K challenge."""
    mean_class_accuracy: float
    """Over the classes that occur in the truth."""
    frequency_weighted_iou: float
    per_class: tuple[ClassScore, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the scores under their fixed names, `per_class` as a list of objects."""
        return {**asdict(self), "per_class": [asdict(entry) for entry in self.per_class]}


def confusion_matrix(
    prediction: torch.Tensor | npt.NDArray[Any], label: torch.Tensor | npt.NDArray[Any], num_classes: int
) -> torch.Tensor:
    """Count the pixels of every (truth, prediction) pair.

    Args:
        prediction: Integer class indices of any shape.
        label: The truth, of the same shape; a value outside 0 .. num_classes - 1 is not counted.
        num_classes: C.

    Returns:
        int64 [C, C] on the label's device; rows are the truth, columns the prediction.

    Raises:
        ValueError: the shapes differ, or a counted pixel's prediction is outside 0 .. num_classes - 1.
    """
    prediction, label = torch.as_tensor(prediction), torch.as_tensor(label)
    if prediction.shape != label.shape:
        raise ValueError(f"the prediction is {tuple(prediction.shape)} but the label {tuple(label.shape)}")
    if not label.numel():
        return torch.zeros(num_classes, num_classes, dtype=torch.int64, device=label.device)
    if num_classes > 255:
        prediction, label = prediction.long(), label.long()
    # What is not counted goes into an extra row, whatever was predicted there.
    row = (label if label.dtype == torch.uint8 else torch.where(label < 0, num_classes, label)).clamp(max=num_classes)
    low, high = prediction.aminmax()
    if low < 0 or high >= num_classes:
        prediction = torch.where(row < num_classes, prediction, 0)
        if prediction.min() < 0 or prediction.max() >= num_classes:
            raise ValueError(f"a prediction is outside 0 .. {num_classes - 1}")
    narrow = torch.int16 if num_classes <= 180 else torch.int64  # 180 x 181 is the last that fits, and twice as fast
    pair = row.to(narrow).mul_(num_classes).add_(prediction).flatten()
    counts = torch.bincount(pair, minlength=num_classes * (num_classes + 1))
    return counts[: num_classes**2].view(num_classes, num_classes)


def scores(matrix: torch.Tensor | npt.NDArray[np.int64], classes: Named) -> Scores:
    """Read the scores off a confusion matrix.

    Args:
        matrix: Pixel counts [C, C], rows are the truth.
        classes: The names of the C classes.

    Raises:
        ValueError: the matrix does not fit the classes, or holds no pixel at all.
    """
    counts = np.asarray(matrix.cpu() if isinstance(matrix, torch.Tensor) else matrix)
    if counts.shape != (len(classes.names),) * 2:
        raise ValueError(f"a {counts.shape} matrix for {len(classes.names)} classes")
    if not counts.any():
        raise ValueError("no labelled pixel was counted, so there is nothing to score")
    intersection, truth = counts.diagonal(), counts.sum(1)
    union = truth + counts.sum(0) - intersection
    iou = intersection / np.maximum(union, 1)
    accuracy = intersection / np.maximum(truth, 1)
    pixel_accuracy = intersection.sum() / truth.sum()
    return Scores(
        mean_iou=float(iou[union > 0].mean()),
        mean_iou_all_classes=float(iou.mean()),
        pixel_accuracy=float(pixel_accuracy),
        overall_score=float((pixel_accuracy + iou.mean()) / 2),
        mean_class_accuracy=float(accuracy[truth > 0].mean()),
        frequency_weighted_iou=float(iou @ truth / truth.sum()),
        per_class=tuple(
            ClassScore(
                index=index,
                name=name,
                iou=float(iou[index]) if union[index] else None,
                accuracy=float(accuracy[index]) if truth[index] else None,
                pixels=int(truth[index]),
            )
            for index, name in enumerate(classes.names)
        ),
    )


@dataclass(frozen=True)
class ImageScore:
    """The scores of one image, as fractions of one; both are NaN where it has no labelled pixel."""

    name: str
    mean_iou: float
    """Over the classes that occur in the image's truth or prediction; never averaged into a data set's mIoU."""
    pixel_accuracy: float


def image_score(name: str, matrix: torch.Tensor) -> ImageScore:
    """Read the scores of one image off its confusion matrix [C, C]."""
    counts = matrix.double()
    hits, truth, predicted = counts.diagonal(), counts.sum(1), counts.sum(0)
    union = truth + predicted - hits
    iou = (hits / union)[union > 0].mean()
    return ImageScore(name, float(iou), float(hits.sum() / truth.sum()))


def boundary_counts(
    prediction: npt.NDArray[np.integer], label: npt.NDArray[np.integer], num_classes: int, width: float = 0.02
) -> npt.NDArray[np.int64]:
    """Count the pixels near boundaries, for Boundary IoU (Cheng et al., 2021).

    A pixel is near the boundary of its class if a pixel of another class, or the image's edge, is within `width`
    times the image's diagonal in rows and in columns.

    Args:
        prediction: Class indices [H, W].
        label: The truth [H, W]; pixels outside 0 .. num_classes - 1 are not counted, but bound the classes.
        num_classes: C.
        width: Fraction of the diagonal.

    Returns:
        int64 [3, C]: pixels of each class near the boundary in both maps alike, in the truth, in the prediction.
    """
    distance = max(1, round(width * float(np.hypot(*label.shape))))
    counted = (label >= 0) & (label < num_classes)
    true_edge, predicted_edge = _near_boundary(label, distance), _near_boundary(prediction, distance)
    both = counted & true_edge & predicted_edge & (prediction == label)
    selections = ((label, both), (label, counted & true_edge), (prediction, counted & predicted_edge))
    return np.stack([np.bincount(values[chosen], minlength=num_classes) for values, chosen in selections])


def boundary_iou(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the Boundary IoU of each class from the sums of `boundary_counts`; NaN where a class has no boundary."""
    both, truth, prediction = counts
    union = truth + prediction - both
    return np.where(union > 0, both / np.maximum(union, 1), np.nan)


def _near_boundary(labels: npt.NDArray[np.integer], distance: int) -> npt.NDArray[np.bool_]:
    # Where the smallest and the largest value around a pixel agree there is one class: this serves all at once.
    values: npt.NDArray[Any] = labels if labels.dtype == np.uint8 else labels.astype(np.uint16)
    square = np.ones((2 * distance + 1,) * 2, np.uint8)
    near = cv2.erode(values, square) != cv2.dilate(values, square)
    near[:distance] = near[-distance:] = near[:, :distance] = near[:, -distance:] = True
    return np.asarray(near)
