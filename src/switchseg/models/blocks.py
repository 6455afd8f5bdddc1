"""What encoders and decoders promise each other, and the pieces that they are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NormFactory = Callable[[int], nn.Module]
"""Number of channels -> a norm for maps [N, C, H, W]."""


class MapSizes(NamedTuple):
    """What a decoder must know of the encoder's maps, from the largest map to the deepest."""

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    """Pixels of the image between two cells of each map; neighbours are equal where a network is dilated."""


class Encoder(nn.Module):
    """Turns images [N, 3, H, W] into a list of maps [N, C_i, H_i, W_i]; `maps` says their channels and strides."""

    maps: MapSizes
    multiple: int = 1
    """What the sides of an image are padded to on the way in; the maps are those of the image alone."""

    def take_maps(self, finest_stride: int) -> None:
        """Let `forward` return maps down to this stride from now on, where the encoder has them; at first it is 4.

        An encoder whose maps are always the same ones leaves this out.
        """

    def checkpoint_activations(self) -> None:
        """Run the encoder's stages again in the backward pass instead of keeping their activations."""
        raise NotImplementedError


class Decoder(nn.Module):
    """Turns the encoder's maps, a list of [N, C_i, H_i, W_i], into logits [N, num_classes, H_level, W_level].

    A decoder ends in `classify`, the 1x1 convolution that is replaced when the classes change.
    """

    level: int = -1
    """The index of the map whose size the logits have."""
    min_maps: int = 1
    """How many maps the decoder needs at least."""
    finest_stride: int = 4
    """The stride of the largest map that it takes, if the encoder has one so large."""
    auxiliary_dropout: float = 0.1
    """Dropout of the auxiliary head beside this decoder."""
    classify: nn.Conv2d

    def __init__(self, maps: MapSizes, num_classes: int, norm: NormFactory) -> None:
        super().__init__()


def conv_norm_act(
    channels: int, out_channels: int, kernel: int, norm: NormFactory, *, dilation: int = 1
) -> nn.Sequential:
    """Return a convolution without bias that keeps the map's size, a norm and a ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels, out_channels, kernel, padding=dilation * (kernel // 2), dilation=dilation, bias=False),
        norm(out_channels),
        nn.ReLU(inplace=True),
    )


def resize(maps: Tensor, like: Tensor) -> Tensor:
    """Resize [N, C, h, w] bilinearly to the height and width of `like`."""
    return F.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=False)


def average_pool(maps: Tensor, size: int) -> Tensor:
    """Average [N, C, H, W] over size x size bins, exactly as `F.adaptive_avg_pool2d` does, half precision in float32.

    It is written as two products with averaging matrices, because the ONNX form of adaptive pooling freezes the
    height and width that it was exported with. The second is a batched one, because tracing a plain one would exclude
    maps of a single row.
    """
    # Products are rounded by autocast, and so would be what they average with: 1/7 is off by 0.2 % in bfloat16.
    device = maps.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):  # "meta" has none
        with torch.autocast(device, enabled=False):
            return average_pool(maps, size)
    if maps.dtype in (torch.bfloat16, torch.float16):
        return average_pool(maps.float(), size).to(maps.dtype)
    images, channels, height, width = maps.shape
    rows = maps @ _averaging(width, size, maps).mT  # [N, C, H, size]
    over_rows = _averaging(height, size, maps).expand(images * channels, size, height)
    return torch.bmm(over_rows, rows.flatten(0, 1)).view(images, channels, size, size)


def _averaging(length: int, size: int, like: Tensor) -> Tensor:
    """Return the [size, length] matrix whose row i averages the cells of bin i; bins overlap where they must."""
    bins = torch.arange(size, device=like.device)[:, None]
    cells = torch.arange(length, device=like.device)[None]
    # The rule of torch: from the floor of the bin's start up to the ceiling of its end.
    inside = (cells >= bins * length // size) & (cells < ((bins + 1) * length + size - 1) // size)
    weights = inside.to(like.dtype)
    return weights / weights.sum(1, keepdim=True)


class PyramidPooling(nn.ModuleList):
    """The branches of pyramid pooling: averages over 1, 2, 3 and 6 bins per side, each reduced by a 1x1 convolution.

    `resize_first` upsamples before the convolution (UPerNet of both code bases) rather than after it (PPM).
    """

    bins = (1, 2, 3, 6)

    def __init__(self, channels: int, out_channels: int, norm: NormFactory, *, resize_first: bool = False) -> None:
        super().__init__(conv_norm_act(channels, out_channels, 1, norm) for _ in self.bins)
        self.resize_first = resize_first

    def forward(self, maps: Tensor) -> Tensor:
        """Return `maps` and the four branches at its size, [N, C + 4 * out_channels, H, W]."""
        branches = [maps]
        for size, branch in zip(self.bins, self, strict=True):
            pooled = average_pool(maps, size)
            branches.append(branch(resize(pooled, maps)) if self.resize_first else resize(branch(pooled), maps))
        return torch.cat(branches, 1)


class AuxiliaryHead(nn.Module):
    """Deep supervision of 2018: a second classifier on the encoder's second last map, used in training only."""

    def __init__(self, maps: MapSizes, num_classes: int, norm: NormFactory, dropout: float) -> None:
        super().__init__()
        # A quarter of the deepest map's channels although the input is another map: so it is in MIT's files.
        width = maps.channels[-1] // 4
        self.block = conv_norm_act(maps.channels[-2], width, 3, norm)
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(width, num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return logits [N, num_classes, h, w] at the size of the second last map."""
        logits: Tensor = self.classify(self.dropout(self.block(maps[-2])))
        return logits
