"""Losses that look at each pixel by itself, and the one that chooses among them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from switchseg.labels import IGNORED
from switchseg.losses.loss import LossOfImages, LossOfPixels, mean

if TYPE_CHECKING:
    from typing import Self

    from switchseg.losses.config import LossConfig


class CrossEntropy(LossOfPixels):
    """Cross entropy, as `torch.nn.CrossEntropyLoss` has it.

    Args:
        class_weights: [C], above 0.
        label_smoothing: Part of the target that is spread over all classes.
    """

    def __init__(self, class_weights: Tensor | None = None, label_smoothing: float = 0.0) -> None:
        super().__init__(class_weights)
        self.label_smoothing = label_smoothing

    @classmethod
    def configured(cls, config: LossConfig, class_weights: Tensor | None) -> Self:  # noqa: D102
        return cls(class_weights, config.label_smoothing)

    def per_pixel(self, logits: Tensor, labels: Tensor) -> Tensor:  # noqa: D102
        weights = None if self.class_weights is None else self.class_weights.to(logits.dtype)
        return F.cross_entropy(
            logits, labels, weights, ignore_index=IGNORED, reduction="none", label_smoothing=self.label_smoothing
        )


class Focal(LossOfPixels):
    """Focal loss (Lin et al. 2017) of a softmax: (1 - p) ** gamma times the cross entropy, p the right class's.

    Args:
        gamma: 0 is the cross entropy; the more, the less do pixels count that are right already.
        class_weights: [C], above 0; for two classes (1 - alpha, alpha) of the paper.
    """

    def __init__(self, gamma: float = 2.0, class_weights: Tensor | None = None) -> None:
        super().__init__(class_weights)
        self.gamma = gamma

    @classmethod
    def configured(cls, config: LossConfig, class_weights: Tensor | None) -> Self:  # noqa: D102
        return cls(config.focal_gamma, class_weights)

    def per_pixel(self, logits: Tensor, labels: Tensor) -> Tensor:  # noqa: D102
        # Unweighted: p is read off it, and the class's weight is a factor on the result.
        loss = CrossEntropy().per_pixel(logits, labels)
        # Away from 0, where the slope of a power below 1 is infinite.
        wrong = (-torch.expm1(-loss)).clamp(min=torch.finfo(loss.dtype).tiny)
        return wrong.pow(self.gamma) * loss * self.pixel_weights(labels).to(loss.dtype)


class OHEM(LossOfImages):
    """Online hard example mining: the mean cross entropy of each image's hard pixels.

    Pixels are chosen within their image, so that the choice is the same wherever the image is computed.

    Args:
        threshold: A pixel is hard if its right class has less than this probability.
        least: Share of the image's labelled pixels, the worst ones, that are kept in any case.
        cross_entropy: What is averaged; the choice looks at probabilities alone.
    """

    def __init__(
        self, threshold: float = 0.7, least: float = 0.0625, cross_entropy: CrossEntropy | None = None
    ) -> None:
        self.threshold, self.least = threshold, least
        self.cross_entropy = cross_entropy or CrossEntropy()

    @classmethod
    def configured(cls, config: LossConfig, class_weights: Tensor | None) -> Self:  # noqa: D102
        return cls(config.ohem_threshold, config.ohem_least, CrossEntropy.configured(config, class_weights))

    def per_image(self, logits: Tensor, labels: Tensor) -> Tensor:  # noqa: D102
        # A choice has no gradient.
        kept = self._kept(logits.detach(), labels)
        loss = self.cross_entropy.per_pixel(logits, labels)
        weights = self.cross_entropy.pixel_weights(labels).to(loss.dtype)
        return mean((loss * kept).sum(1), (weights * kept).sum(1))

    def _kept(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return which pixels count, bool [N, P]."""
        labelled = labels != IGNORED
        loss = CrossEntropy().per_pixel(logits, labels).masked_fill(~labelled, -1)
        # Rounded up, so that an image with a single labelled pixel keeps it.
        least = (labelled.sum(1) * self.least).ceil()
        count = torch.maximum((loss > -math.log(self.threshold)).sum(1), least)
        # By rank and not by value: shapes stay fixed, as a CUDA graph needs them, and ties are cut exactly.
        first = torch.arange(loss.shape[1], device=loss.device) < count[:, None]
        return torch.zeros_like(labelled).scatter(1, loss.argsort(dim=1, descending=True, stable=True), first)
