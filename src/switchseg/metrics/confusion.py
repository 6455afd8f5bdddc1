"""The one count that all scores are read off."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch

from switchseg.metrics.pairs import BYTES, count_pairs


def confusion_matrix(
    prediction: torch.Tensor | npt.NDArray[Any], label: torch.Tensor | npt.NDArray[Any], num_classes: int
) -> torch.Tensor:
    """Count the pixels of every (truth, prediction) pair; two uint8 arrays on the CPU are counted by a loop in C++.

    Args:
        prediction: Integer class indices of any shape.
        label: The truth, of the same shape; where a value is outside 0 .. num_classes - 1 nothing is counted, whatever
            the prediction is there.
        num_classes: C.

    Returns:
        int64 [C, C] on the label's device; rows are the truth, columns the prediction.

    Raises:
        ValueError: the shapes differ, or a counted pixel's prediction is outside 0 .. num_classes - 1. Seeing that
            waits for the device; `confusion_of_classes` does not look.
    """
    matrix, outside = _count(prediction, label, num_classes)
    if outside.any():
        raise ValueError(f"a prediction is outside 0 .. {num_classes - 1}")
    return matrix


def confusion_of_classes(prediction: torch.Tensor, label: torch.Tensor, num_classes: int) -> torch.Tensor:
    """Return what `confusion_matrix` does, for predictions that are known to be classes, as an argmax over them is."""
    return _count(prediction, label, num_classes)[0]


def _count(
    prediction: torch.Tensor | npt.NDArray[Any], label: torch.Tensor | npt.NDArray[Any], num_classes: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the matrix [C, C], and for each class how often something that is no class was predicted [C, K]."""
    prediction, label = (
        values if isinstance(values, torch.Tensor) else torch.as_tensor(values, device="cpu")
        for values in (prediction, label)
    )
    if prediction.shape != label.shape:
        raise ValueError(f"the prediction is {tuple(prediction.shape)} but the label {tuple(label.shape)}")
    # One value more than there are classes, for all that is none; 256 where bytes do, as the loop in C++ wants.
    values = max(BYTES, num_classes + 1)
    counts = count_pairs(_within(label, num_classes, values), _within(prediction, num_classes, values), values)
    matrix = counts[:num_classes, :num_classes].to(torch.int64, memory_format=torch.contiguous_format)
    return matrix, counts[:num_classes, num_classes:]


def _within(labels: torch.Tensor, num_classes: int, values: int) -> torch.Tensor:
    """Return values in 0 .. values - 1, the last for what is no class; bytes where that is enough."""
    narrow = torch.uint8 if values == BYTES else torch.int64
    # Bytes fit as they are: what is no class among them is cut off with the rows and columns beyond C.
    if labels.dtype != torch.uint8:
        labels = labels.long()
        labels = labels.where((labels >= 0) & (labels < num_classes), values - 1)
    return labels.to(narrow)
