"""Whether an encoder takes images of any size, found by asking it: shapes alone are computed, so it costs no memory."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

# (height, width) in pixels: no multiples of strides, smaller than a stride, odd, strips, more than any training size.
SIZES = ((72, 104), (8, 8), (33, 97), (1, 1), (16, 1000), (520, 72))

# Windows of 7 or 8 cells on the deepest map are the coarsest grid that any family of timm needs.
_CELLS = (1, 2, 4, 7, 8)


def padding_multiple(body: nn.Module, strides: Sequence[int], *, channels_last: bool, pad: bool = False) -> int | None:
    """Return the multiple that images must be padded to for `body` to take them whatever their size.

    Many networks drop what is left over at the right and the bottom when a side is no multiple of their stride, so
    that their maps no longer lie where the image is; some take nothing else than multiples. 1 says that `body` needs
    no padding: a map at stride s has ceil(H / s) x ceil(W / s) cells. None says that there is no such multiple,
    because the network was made for images of one size.

    Args:
        body: Images [N, 3, H, W] -> one map for each of `strides`; left as it is.
        strides: Pixels of the image between two cells of each map.
        channels_last: Whether the maps are [N, H, W, C].
        pad: Pad to the largest stride at least, whether that is needed or not.
    """
    # In training mode, BatchNorm refuses the single value a channel that a 1 x 1 image leaves.
    shapes = _without_memory(body).eval()
    multiples = [cells * max(strides) for cells in _CELLS]
    for multiple in multiples if pad else (1, *multiples):
        if all(_fits(shapes, strides, _padded(size, multiple), channels_last) for size in SIZES):
            return multiple
    return None


def _without_memory(body: nn.Module) -> nn.Module:
    """Return a copy of `body` whose tensors are shapes alone.

    A copy, since some modules keep what they have met: an LSTM its weights, others the sizes of their last image.
    """
    kept: dict[int, Any] = {id(tensor): torch.empty_like(tensor, device="meta") for tensor in body.buffers()}
    for parameter in body.parameters():
        kept[id(parameter)] = nn.Parameter(torch.empty_like(parameter, device="meta"))
    # What stands there already is not copied: the weights take no memory a second time.
    return copy.deepcopy(body, kept)


def _fits(body: nn.Module, strides: Sequence[int], size: tuple[int, int], channels_last: bool) -> bool:
    try:
        with torch.no_grad():
            maps = body(torch.empty(1, 3, *size, device="meta"))
    # What timm's families raise of a size that they do not take; there is no common kind.
    except (AssertionError, IndexError, RuntimeError, TypeError, ValueError):
        return False
    sizes = [tuple(value.shape[1:3] if channels_last else value.shape[2:]) for value in maps]
    return sizes == [(-(-size[0] // stride), -(-size[1] // stride)) for stride in strides]


def _padded(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    height, width = (-(-length // multiple) * multiple for length in size)
    return height, width
