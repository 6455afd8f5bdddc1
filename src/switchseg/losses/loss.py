"""What every loss is: a sum over the pixels or images of a batch, and the weight of that sum."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from switchseg.labels import IGNORED

if TYPE_CHECKING:
    from typing import Self

    from switchseg.losses.config import LossConfig


class Loss(ABC):
    """A loss of a batch, as a sum and its weight.

    A step minimises the sum over all its batches, on all ranks, divided by their weight. This depends on the images
    of the step alone and not on how they are spread, if what is summed is a matter of one image at a time, and if the
    weight is a matter of the labels: it is needed before the first backward pass, when of several accumulated batches
    only the first has been seen by the network. Both must be free of waiting for the device (`.item()`, shapes that
    depend on values), or the step cannot be recorded as a CUDA graph.
    """

    @classmethod
    def configured(cls, config: LossConfig, class_weights: Tensor | None) -> Self:
        """Return the loss with its settings of `config` and weights [C] of the classes, on the device to compute on."""
        del config, class_weights
        return cls()

    @abstractmethod
    def sum(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the sum over the batch, a scalar; 0 where no pixel is labelled.

        Args:
            logits: [N, C, H, W], float32 or better.
            labels: int64 [N, H, W], `labels.IGNORED` where a pixel counts nothing.
        """

    @abstractmethod
    def weight(self, labels: Tensor) -> Tensor:
        """Return by what the sum over the batch is divided to be a mean, a scalar; 0 where no pixel is labelled."""

    def __call__(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return sum and weight, for logits [N, C, h, w] of any float type and stride."""
        return self.sum(computable(logits, labels), labels), self.weight(labels)


class LossOfPixels(Loss):
    """A sum over labelled pixels. It weighs as many as there are, or the sum of their classes' weights.

    Args:
        class_weights: [C], above 0.
    """

    def __init__(self, class_weights: Tensor | None = None) -> None:
        self.class_weights = class_weights

    @abstractmethod
    def per_pixel(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of each pixel, its class's weight included [N, H, W]; 0 where there is no label."""

    def sum(self, logits: Tensor, labels: Tensor) -> Tensor:  # noqa: D102
        # Not in one kernel with the loss: on a GPU that adds in any order, so a resumed run would log other digits.
        return self.per_pixel(logits, labels).sum()

    def weight(self, labels: Tensor) -> Tensor:  # noqa: D102
        return self.pixel_weights(labels).sum()

    def pixel_weights(self, labels: Tensor) -> Tensor:
        """Return the weight of each pixel [N, H, W]: that of its class, 0 (or False) where it has none."""
        labelled = labels != IGNORED
        if self.class_weights is None:
            return labelled
        # 255 is outside the table; where it stood, the mask takes the weight of class 0 out again.
        return self.class_weights[labels.where(labelled, 0)] * labelled


class LossOfImages(Loss):
    """A sum over the images with labelled pixels. It weighs as many as there are."""

    @abstractmethod
    def per_image(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of each image [N]; 0 where no pixel of it is labelled.

        Args:
            logits: [N, C, P], float32 or better.
            labels: [N, P].
        """

    def sum(self, logits: Tensor, labels: Tensor) -> Tensor:  # noqa: D102
        return self.per_image(logits.flatten(2), labels.flatten(1)).sum()

    def weight(self, labels: Tensor) -> Tensor:  # noqa: D102
        return (labels != IGNORED).flatten(1).any(1).sum()


def computable(logits: Tensor, labels: Tensor) -> Tensor:
    """Return logits at the size of the labels, in float32 or better."""
    return resize_to(logits, labels).to(torch.promote_types(logits.dtype, torch.float32))


def resize_to(logits: Tensor, labels: Tensor) -> Tensor:
    """Resize logits bilinearly to the size of the labels, if the two differ."""
    if logits.shape[-2:] == labels.shape[-2:]:
        return logits
    return F.interpolate(logits, size=labels.shape[-2:], mode="bilinear", align_corners=False)


def mean(total: Tensor, weight: Tensor) -> Tensor:
    """Return total / weight, and 0 where both are 0."""
    # tiny instead of a condition: 0 / tiny is 0, and so is its gradient, without NaN from the branch not taken.
    return total / weight.to(total.dtype).clamp(min=torch.finfo(total.dtype).tiny)
