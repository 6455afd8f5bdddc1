"""What a data set gives (`Sample`) and what a training step takes (`Batch`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import torch

    from switchseg.preprocessing import Preprocessing


class Sample(NamedTuple):
    """One image, and its label where there is one."""

    image: np.ndarray
    """uint8 RGB [H, W, 3]."""
    label: np.ndarray | None
    """uint8 [H, W]: the class index, 255 where no class was given."""
    name: str
    """Unique in the data set and usable as the stem of a file name."""


@dataclass(frozen=True)
class Batch:
    """A sub-batch: the images that one rank sees in one step, padded at the right and the bottom to one size."""

    images: torch.Tensor
    """uint8 RGB [N, 3, H, W]."""
    labels: torch.Tensor
    """int64 [N, H / stride, W / stride]; 255 is ignored, padding included."""
    sizes: torch.Tensor
    """int64 [N, 2]: height and width in pixels before the padding."""
    names: tuple[str, ...]
    skipped: tuple[str, ...] = ()
    """With `on_error: skip`, one line for each image that could not be read and was replaced."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """Return the batch on `device`."""
        return replace(
            self,
            images=self.images.to(device, non_blocking=non_blocking),
            labels=self.labels.to(device, non_blocking=non_blocking),
            sizes=self.sizes.to(device, non_blocking=non_blocking),
        )

    def pin_memory(self) -> Batch:
        """Return the batch in page-locked memory; the DataLoader calls this by its name."""
        return replace(
            self, images=self.images.pin_memory(), labels=self.labels.pin_memory(), sizes=self.sizes.pin_memory()
        )

    def normalized(self, preprocessing: Preprocessing) -> torch.Tensor:
        """Return the network's float32 input [N, 3, H, W], where padding is exactly 0 as in 2018."""
        values = preprocessing.normalize(self.images)
        # After the normalization: zeros in the pixels would become minus the mean instead.
        zero = zero_padding if values.device.type == "cpu" else zero_padding_by_mask
        zero(values, self.sizes)
        return values


def zero_padding(images: torch.Tensor, sizes: torch.Tensor) -> None:
    """Set what lies beyond the sizes [N, 2] of the images [N, 3, H, W] to 0; reads the sizes, touches only padding."""
    for image, (height, width) in zip(images, sizes.tolist(), strict=True):
        image[:, height:] = 0.0
        image[:, :, width:] = 0.0


def zero_padding_by_mask(images: torch.Tensor, sizes: torch.Tensor) -> None:
    """Do the same by a mask, without that the host waits for a device to tell the sizes."""
    import torch

    rows = torch.arange(images.shape[2], device=images.device) < sizes[:, :1]  # [N, H]
    columns = torch.arange(images.shape[3], device=images.device) < sizes[:, 1:]  # [N, W]
    images.masked_fill_(~(rows[:, None, :, None] & columns[:, None, None, :]), 0.0)
