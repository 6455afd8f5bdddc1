"""The fused operator on CUDA tensors: launches the Triton kernels, never waits for the device.

Imported only when a CUDA tensor arrives; `fused` documents the two functions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import triton
from torch import Tensor

from switchseg.norms import kernels
from switchseg.norms.collective import gather_gradient, gather_moments
from switchseg.norms.reference import STATISTICS

_BLOCK = 256  # channels that a merging program holds at a time
_TILE = 2048  # elements of a tile
_PROGRAMS = 512  # enough to fill a large device


@dataclass(frozen=True)
class Plan:
    """How a tensor of N images, C channels and maps of L elements is cut into tiles, and maps into spans."""

    images: int
    channels: int
    length: int
    span: int
    splits: int
    channels_last: bool
    block_r: int
    block_l: int

    @property
    def grid(self) -> tuple[int, int]:
        """One program per tile of channels and span."""
        return self.images * triton.cdiv(self.channels, self.block_r), self.splits

    @property
    def blocks(self) -> dict[str, Any]:
        """The compile-time arguments of kernels that work on tiles."""
        return {"CHANNELS_LAST": self.channels_last, "BLOCK_R": self.block_r, "BLOCK_L": self.block_l}


def plan(x: Tensor) -> Plan:
    """Cut a contiguous or channels_last tensor (N, C, ...)."""
    images, channels = x.shape[:2]
    length = x.numel() // (images * channels)
    channels_last = not x.is_contiguous()
    block_r, block_l = triton.next_power_of_2(channels), triton.next_power_of_2(length)
    if channels_last:
        block_r = min(64, block_r)
        block_l = min(_TILE // block_r, block_l)
    else:
        block_l = min(1024, block_l)
        block_r = min(_TILE // block_l, block_r)
    tiles = images * triton.cdiv(channels, block_r)
    splits = min(triton.cdiv(_PROGRAMS, tiles), triton.cdiv(length, block_l), 64)
    span = triton.cdiv(triton.cdiv(length, splits), block_l) * block_l
    return Plan(images, channels, length, span, triton.cdiv(length, span), channels_last, block_r, block_l)


def forward(
    x: Tensor,
    shares: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running: Tensor | None,
    residual: Tensor | None,
    statistics: str,
    eps: float,
    relu: bool,
    group: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Compute `fused.forward` on the device of `x`."""
    cut = plan(x)
    indices = _indices(statistics)
    images, channels, rows = cut.images, cut.channels, cut.images * cut.channels
    empty = shares.new_empty
    partial, moments = empty(cut.splits, 2, rows), empty(2, images, channels)
    layer, batch = empty(2, images, 1), empty(2, 1, channels)
    shares = shares.contiguous()
    residual = None if residual is None else _like(residual, x)
    sizes = (channels, cut.length, cut.span)
    kernels.moments[cut.grid](x, partial, rows, *sizes, **cut.blocks)
    merging = images + (triton.cdiv(channels, _BLOCK) if indices["BN"] >= 0 and running is None else 0)
    kernels.merge[(merging,)](partial, moments, layer, batch, images, *sizes, cut.splits, BLOCK=_BLOCK)
    if running is not None:
        batch = running.unsqueeze(1).contiguous().clone()
    elif group:
        batch = gather_moments(batch, images * cut.length, group)[0]
    y, mean, rstd = torch.empty_like(x), empty(images, channels), empty(images, channels)
    kernels.apply[cut.grid](
        x, y, residual, moments, layer, batch, shares, weight, bias, mean, rstd, images, *sizes, eps,
        **indices, RELU=relu, **cut.blocks,
    )  # fmt: skip
    return y, moments, mean, rstd, layer if indices["LN"] >= 0 else empty(0), batch if indices["BN"] >= 0 else empty(0)


def backward(
    grad: Tensor,
    x: Tensor,
    rectified: Tensor | None,
    shares: Tensor,
    weight: Tensor | None,
    moments: Tensor,
    mean: Tensor,
    rstd: Tensor,
    layer: Tensor,
    batch: Tensor,
    statistics: str,
    training: bool,
    with_residual: bool,
    group: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Compute `fused.backward` on the device of `x`."""
    cut = plan(x)
    indices = _indices(statistics)
    images, channels, rows = cut.images, cut.channels, cut.images * cut.channels
    empty = shares.new_empty
    sizes = (channels, cut.length, cut.span)
    grad, shares = _like(grad, x), shares.contiguous()
    masked = grad.new_empty(0) if rectified is None else torch.empty_like(x)
    partial = empty(cut.splits, 2, rows)
    kernels.sums[cut.grid](grad, x, rectified, masked, mean, rstd, partial, rows, *sizes, **cut.blocks)
    grad_mixed, grad_layer, grad_batch = empty(2, images, channels), empty(2, images, 1), empty(2, 1, channels)
    grad_shares, grad_weight, grad_bias = empty(images, 3, 2), empty(channels), empty(channels)
    kernels.merge_gradients[(images + triton.cdiv(channels, _BLOCK),)](
        partial, moments, layer, batch, shares, weight, rstd,
        grad_mixed, grad_layer, grad_batch, grad_shares, grad_weight, grad_bias,
        images, channels, cut.splits, LN=indices["LN"], BN=indices["BN"], BLOCK=_BLOCK,
    )  # fmt: skip
    if group and training and indices["BN"] >= 0:
        grad_batch = gather_gradient(grad_batch, images * cut.length, group)
    grad_x = torch.empty_like(x)
    kernels.gradient[cut.grid](
        grad if rectified is None else masked, x, grad_x, moments, layer, batch, shares, weight, rstd,
        grad_mixed, grad_layer, grad_batch, images, *sizes,
        IN=indices["IN"], LN=indices["LN"], BN=indices["BN"] if training else -1, **cut.blocks,
    )  # fmt: skip
    # Rows are all three statistics, of which the operator may mix fewer. A list as an index would wait for the device.
    rows_of = dict(zip(STATISTICS, grad_shares.sum(0).unbind(), strict=True))
    mixed = torch.stack([rows_of[name] for name in statistics.split()])
    return grad_x, mixed, grad_weight, grad_bias, masked if with_residual else grad.new_empty(0)


def _indices(statistics: str) -> dict[str, int]:
    """Return the row of `shares` that belongs to each statistic, -1 for one that is not mixed."""
    names = statistics.split()
    return {name.upper(): names.index(name) if name in names else -1 for name in STATISTICS}


def _like(tensor: Tensor, x: Tensor) -> Tensor:
    return tensor if tensor.stride() == x.stride() else torch.empty_like(x).copy_(tensor)
