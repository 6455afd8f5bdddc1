"""How maps lie in memory: dense in the order of their shape, or channels_last."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def is_dense(x: Tensor) -> bool:
    """Return whether `x` (N, C, ...) is contiguous or channels_last."""
    if x.is_contiguous():
        return True
    order = _CHANNELS_LAST.get(x.dim())
    return order is not None and x.is_contiguous(memory_format=order)


def is_contiguous(shape: Sequence[int], strides: Sequence[int]) -> bool:
    """Return whether a dense tensor is in the order of its shape, and not channels_last."""
    return torch.empty_strided(tuple(shape), tuple(strides), device="meta").is_contiguous()


def dense(x: Tensor) -> Tensor:
    """Return `x`, copied if it is neither contiguous nor channels_last."""
    if is_dense(x):
        return x
    order = _CHANNELS_LAST.get(x.dim())
    # A slice of a channels_last tensor stays channels_last: its channels are still neighbours.
    return x.contiguous(memory_format=order if order is not None and x.stride(1) == 1 else torch.contiguous_format)


def in_memory(x: Tensor) -> Tensor:
    """Return `x`, copied if its memory holds other numbers: negated ones, or none at all for zeros."""
    return x.clone() if x.is_neg() or x._is_zerotensor() else x


def laid_out_like(x: Tensor, other: Tensor) -> Tensor:
    """Return `other`, copied if its shape, its type or its place in memory is not that of `x`."""
    same = other.dtype is x.dtype and other.device == x.device and other.shape == x.shape
    # By strides: kernels reach all maps of a call with the same offsets.
    return other if same and other.stride() == x.stride() else torch.empty_like(x).copy_(other)
