"""Whether an encoder takes images of any size, found by asking it: shapes alone are computed, so it costs no memory."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

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
        body: Images [N, 3, H, W] -> one map for each of `strides`; left in training mode.
        strides: Pixels of the image between two cells of each map.
        channels_last: Whether the maps are [N, H, W, C].
        pad: Pad to the largest stride at least, whether that is needed or not.
    """
    state = {name: _shape_of(tensor) for name, tensor in (*body.named_parameters(), *body.named_buffers())}
    # In training mode, BatchNorm refuses the single value a channel that a 1 x 1 image leaves.
    body.eval()
    multiples = [cells * max(strides) for cells in _CELLS]
    try:
        for multiple in multiples if pad else (1, *multiples):
            if all(_fits(body, state, strides, _padded(size, multiple), channels_last) for size in SIZES):
                return multiple
    finally:
        body.train()
    return None


def _fits(
    body: nn.Module, state: dict[str, Tensor], strides: Sequence[int], size: tuple[int, int], channels_last: bool
) -> bool:
    try:
        with torch.no_grad():
            # The module keeps its own tensors: only this call sees those without storage.
            maps = torch.func.functional_call(body, state, (torch.empty(1, 3, *size, device="meta"),))
    # What timm's families raise of a size that they do not take; there is no common kind.
    except (AssertionError, IndexError, RuntimeError, TypeError, ValueError):
        return False
    sizes = [tuple(value.shape[1:3] if channels_last else value.shape[2:]) for value in maps]
    return sizes == [(-(-size[0] // stride), -(-size[1] // stride)) for stride in strides]


def _padded(size: tuple[int, int], multiple: int) -> tuple[int, int]:
    height, width = (-(-length // multiple) * multiple for length in size)
    return height, width


def _shape_of(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device="meta")
