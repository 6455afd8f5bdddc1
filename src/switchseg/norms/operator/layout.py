"""How maps lie in memory: dense in the order of their shape, or channels_last."""

from __future__ import annotations

import torch
from torch import Tensor

_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def is_dense(x: Tensor) -> bool:
    """Return whether `x` (N, C, ...) is contiguous or channels_last."""
    order = _CHANNELS_LAST.get(x.dim())
    return x.is_contiguous() or (order is not None and x.is_contiguous(memory_format=order))


def dense(x: Tensor) -> Tensor:
    """Return `x`, copied if it is neither contiguous nor channels_last."""
    if is_dense(x):
        return x
    order = _CHANNELS_LAST.get(x.dim())
    # A slice of a channels_last tensor stays channels_last: its channels are still neighbours.
    return x.contiguous(memory_format=order if order is not None and x.stride(1) == 1 else torch.contiguous_format)


def laid_out_like(x: Tensor, other: Tensor) -> Tensor:
    """Return `other`, copied if its shape, its type or its place in memory is not that of `x`."""
    # By strides: kernels reach all maps of a call with the same offsets.
    same = other.dtype == x.dtype and other.device == x.device and other.shape == x.shape
    return other if same and other.stride() == x.stride() else torch.empty_like(x).copy_(other)
