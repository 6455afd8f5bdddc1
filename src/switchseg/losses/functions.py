"""Loss functions: logits [N, C, h, w] and labels [N, H, W] -> the sum over labelled pixels, a scalar."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from switchseg.labels import IGNORED


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the summed cross entropy over labelled pixels; 0 where there is none. Computed in float32 or better."""
    logits = resize_to(logits, labels).to(torch.promote_types(logits.dtype, torch.float32))
    # Not reduction="sum": on a GPU it adds in any order, so that a resumed run would log other digits.
    return F.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="none").sum()


def resize_to(logits: Tensor, labels: Tensor) -> Tensor:
    """Resize logits bilinearly to the size of the labels, if the two differ."""
    if logits.shape[-2:] == labels.shape[-2:]:
        return logits
    return F.interpolate(logits, size=labels.shape[-2:], mode="bilinear", align_corners=False)


def count_labelled(labels: Tensor) -> Tensor:
    """Return how many pixels have a label, a scalar int64 tensor."""
    return (labels != IGNORED).sum()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": cross_entropy,
}
