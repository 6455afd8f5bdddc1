"""From the logits of an image at several scales to one label map.

It is fused in tiles that fit into the processor's cache, so that memory does not grow with classes x pixels x scales.
This is also the fast way, so there is no other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

_TILE_ELEMENTS = {"cpu": 2**18}  # 1 MiB of float32: what one core's cache holds
_TILE_ELEMENTS_GPU = 2**25


@torch.inference_mode()
def fuse(
    maps: Sequence[Tensor], size: tuple[int, int], cut: tuple[int, float] | None = None
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.float32]]:
    """Return the class of every pixel, the most probable one unless there is a threshold, and its probability.

    Args:
        maps: Logits [h, w, C] of one image at one or more scales.
        size: (H, W) of the label map in pixels.
        cut: What `Rule.cut` returned.

    Returns:
        labels [H, W], uint8 (int32 beyond 255 classes), and confidence float32 [H, W].
    """
    device = maps[0].device
    # Bytes are what the confusion matrix counts fast and what a palette image holds.
    labels = torch.empty(size, dtype=torch.uint8 if maps[0].shape[-1] <= 255 else torch.int32, device=device)
    confidence = torch.empty(size, device=device)
    for tile, probabilities in probability_tiles(maps, size):
        if cut is None:
            chosen, index = probabilities.max(-1)
        else:
            foreground, threshold = cut
            index = torch.where(probabilities[..., foreground] >= threshold, foreground, 1 - foreground)
            chosen = probabilities.gather(-1, index[..., None])[..., 0]
        labels[tile], confidence[tile] = index.to(labels.dtype), chosen
    return labels.cpu().numpy(), confidence.cpu().numpy()


def probability_tiles(maps: Sequence[Tensor], size: tuple[int, int]) -> Iterator[tuple[tuple[slice, slice], Tensor]]:
    """Yield the fused class probabilities tile by tile: ((rows, columns), float32 [rows, columns, C]).

    Each scale's logits are upsampled bilinearly (align_corners=False) to `size` before the softmax, as in 2018.
    """
    height, width = size
    device, classes = maps[0].device, maps[0].shape[-1]
    pixels = max(1, _TILE_ELEMENTS.get(device.type, _TILE_ELEMENTS_GPU) // classes)
    # As wide as the image where that fits: whole rows lie together in memory.
    across = min(width, pixels)
    down = max(1, pixels // across)
    vertical = [_taps(height, scale.shape[0], device) for scale in maps]
    horizontal = [_taps(width, scale.shape[1], device) for scale in maps]
    for top, left in itertools.product(range(0, height, down), range(0, width, across)):
        rows, columns = slice(top, min(top + down, height)), slice(left, min(left + across, width))
        total: Tensor | None = None
        for scale, (upper, lower, y), (first, second, x) in zip(maps, vertical, horizontal, strict=True):
            lines = torch.lerp(scale[upper[rows]], scale[lower[rows]], y[rows, None, None])
            logits = torch.lerp(lines[:, first[columns]], lines[:, second[columns]], x[columns, None])
            probabilities = logits.softmax(-1)
            total = probabilities if total is None else total.add_(probabilities)
        assert total is not None
        yield (rows, columns), total if len(maps) == 1 else total.div_(len(maps))


def _taps(length: int, source: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return the two source indices and the weight of the second for each of `length` bilinear samples."""
    position = (torch.arange(length, dtype=torch.float32, device=device) + 0.5) * (source / length) - 0.5
    # As F.interpolate does: what lies before the first sample takes its value.
    position = position.clamp(min=0)
    first = position.long().clamp(max=source - 1)
    return first, (first + 1).clamp(max=source - 1), position - first
