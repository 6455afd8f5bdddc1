"""Boundary IoU (Cheng et al., 2021): the IoU of the pixels near boundaries."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt


def boundary_counts(
    prediction: npt.NDArray[np.integer], label: npt.NDArray[np.integer], num_classes: int, width: float = 0.02
) -> npt.NDArray[np.int64]:
    """Count the pixels near boundaries.

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
    # At least one pixel, or small images would have no boundary at all.
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
    # OpenCV has no morphology for int32 or int64.
    values: npt.NDArray[Any] = labels if labels.dtype == np.uint8 else labels.astype(np.uint16)
    square = np.ones((2 * distance + 1,) * 2, np.uint8)
    near = cv2.erode(values, square) != cv2.dilate(values, square)
    # OpenCV leaves what lies outside the image out of both, so its edge bounds nothing there; by the paper it does.
    near[:distance] = near[-distance:] = near[:, :distance] = near[:, -distance:] = True
    return np.asarray(near)
