"""Losses that look at the region of a class as a whole, image by image.

Neither is a sum over pixels. Taken over a batch they would depend on which images share one, and over a whole step on
forward passes that accumulated batches have not yet had; taken over each image they add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from switchseg.labels import IGNORED
from switchseg.losses.loss import LossOfImages, mean

if TYPE_CHECKING:
    from typing import Self

    from switchseg.losses.config import LossConfig


class Dice(LossOfImages):
    """1 - Dice coefficient of probabilities and truth, the mean over the classes that occur in an image's truth.

    Args:
        smoothing: Pixels that are added to both sides of the fraction.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        self.smoothing = smoothing

    @classmethod
    def configured(cls, config: LossConfig, class_weights: Tensor | None) -> Self:  # noqa: D102
        del class_weights
        return cls(config.dice_smoothing)

    def per_image(self, logits: Tensor, labels: Tensor) -> Tensor:  # noqa: D102
        truth = _regions(labels, logits.shape[1])
        # What is predicted on unlabelled pixels must not count as a wrong size.
        probabilities = logits.softmax(1) * (labels != IGNORED)[:, None]
        overlap = (probabilities * truth).sum(2)
        size = probabilities.sum(2) + truth.sum(2)
        present = truth.any(2)
        dice = (2 * overlap + self.smoothing) / (size + self.smoothing).where(present, 1)
        return mean(((1 - dice) * present).sum(1), present.sum(1))


class Lovasz(LossOfImages):
    """Lovász-softmax (Berman et al. 2018): 1 - IoU, extended to probabilities; the mean over the classes that occur."""

    def per_image(self, logits: Tensor, labels: Tensor) -> Tensor:  # noqa: D102
        truth = _regions(labels, logits.shape[1])
        errors = (truth.to(logits.dtype) - logits.softmax(1)).abs()
        # What has no label comes last, behind errors of 0, and counts nothing there.
        errors, order = errors.where((labels != IGNORED)[:, None], -1).sort(dim=2, descending=True, stable=True)
        slopes = _slopes(truth.gather(2, order).to(logits.dtype))
        present = truth.any(2)
        return mean(((errors.clamp(min=0) * slopes).sum(2) * present).sum(1), present.sum(1))


def _regions(labels: Tensor, classes: int) -> Tensor:
    """Return which pixels [N, P] belong to each class, bool [N, C, P]."""
    return labels[:, None] == torch.arange(classes, device=labels.device)[:, None]


def _slopes(truth: Tensor) -> Tensor:
    """Return by how much the Jaccard loss grows with each further wrong pixel, the worst first [N, C, P]."""
    size = truth.sum(2, keepdim=True)
    jaccard = 1 - (size - truth.cumsum(2)) / (size + (1 - truth).cumsum(2))
    # The first difference is to no error at all, where the loss is 0.
    return torch.cat([jaccard[..., :1], jaccard.diff(dim=2)], 2)
