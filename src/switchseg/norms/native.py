"""The fused operator on the CPU, by the passes that `csrc` is compiled to when the package is installed.

Without a compiler there is no library, and `aten` computes the same in more passes and many more calls.
"""

from __future__ import annotations

import ctypes
from functools import lru_cache
from pathlib import Path
from struct import Struct
from typing import overload

import torch
from torch import Tensor

from switchseg.norms.library import load_functions
from switchseg.norms.mixing import mix, mix_backward
from switchseg.norms.reference import STATISTICS

_INTERFACE = 5  # of `csrc/native.cpp`; to be raised there and here when arguments change
_TYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2}
_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
# The structs of `csrc/native.cpp`: q an integer or a pointer, d a real. ctypes takes longer over twenty arguments than
# the library over a small map.
_ARGUMENTS = {
    "moments": Struct("6q 2q"),
    "apply": Struct("6q q 5q"),
    "gradient_sums": Struct("6q 6q"),
    "gradient": Struct("6q 7q"),
    "forward": Struct("6q 4q d 12q"),
    "backward": Struct("6q 4q 15q"),
    "layer": Struct("6q 5q 2d 11q"),
    "layer_backward": Struct("6q 4q 11q"),
}

Maps = tuple[int, bool, int, int, int]  # what `maps_of` returns

functions = load_functions(
    Path(__file__).with_name("_native"), _INTERFACE, {name: [ctypes.c_char_p] for name in _ARGUMENTS}
)


def takes(x: Tensor) -> bool:
    """Return whether there is a library, and it has passes over tensors like `x`: dense, or channels_last."""
    if functions is None or x.dtype not in _TYPES or x.numel() == 0:
        return False
    order = _CHANNELS_LAST.get(x.dim())
    return x.is_contiguous() or (order is not None and x.is_contiguous(memory_format=order))


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
    """Compute `fused.forward`."""
    maps, (images, channels) = maps_of(x), x.shape[:2]
    residual = None if residual is None else laid_out_like(x, residual)
    y = torch.empty_like(x)
    moments = shares.new_empty(2, images, channels)
    if group:
        call("moments", maps, (), x, moments)
        mixed, layer, batch = mix(moments, shares, statistics.split(), running, x.numel() // channels, group)
        mean, rstd = mixed[0], (mixed[1] + eps).rsqrt_()
        scale = rstd if weight is None else rstd * weight
        shift = (moments[0] - mean) * scale
        coefficients = torch.stack([scale, shift if bias is None else shift + bias])
        call("apply", maps, (relu,), x, residual, moments, coefficients, y)
        return y, moments, mean, rstd, layer, batch
    mixture = mixture_of(tuple(statistics.split()))
    mean, rstd = shares.new_empty(images, channels), shares.new_empty(images, channels)
    layer = shares.new_empty((2, images, 1) if mixture[1] >= 0 else (0,))
    batch = shares.new_empty((2, 1, channels) if mixture[2] >= 0 else (0,))
    given = (
        _numbers("shares", shares, shares.dtype, (len(mixture) - mixture.count(-1), 2)),
        _numbers("weight", weight, shares.dtype, (channels,)),
        _numbers("bias", bias, shares.dtype, (channels,)),
        _numbers("running", running, shares.dtype, (2, channels)),
    )
    call("forward", maps, (*mixture, relu, eps), x, *given, residual, y, moments, mean, rstd, layer, batch)
    return y, moments, mean, rstd, layer, batch


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
    """Compute `fused.backward`."""
    maps, (images, channels) = maps_of(x), x.shape[:2]
    grad = laid_out_like(x, grad)
    rectified = None if rectified is None else laid_out_like(x, rectified)
    grad_x = torch.empty_like(x)
    grad_residual = torch.empty_like(x) if rectified is not None and with_residual else grad.new_empty(0)
    if group:
        elements = x.numel() // channels
        length = elements // images
        sums, products = torch.empty_like(moments).unbind()
        call("gradient_sums", maps, (), grad, rectified, x, mean, sums, products)
        products *= rstd
        scale = rstd if weight is None else rstd * weight
        grad_mixed = torch.stack([-sums, -0.5 * rstd * products]) * scale
        grad_moments, grad_shares = mix_backward(
            grad_mixed, moments, layer, batch, shares, statistics.split(), training, elements, group
        )
        coefficients = torch.stack([scale, grad_moments[1] * (2 / max(1, length - 1)), grad_moments[0] / length])
        call("gradient", maps, (), grad, rectified, x, moments, coefficients, grad_x, grad_residual)
        return grad_x, grad_shares, products.sum(0), sums.sum(0), grad_residual
    mixture = mixture_of(tuple(statistics.split()))
    shares = _numbers("shares", shares, shares.dtype, (len(mixture) - mixture.count(-1), 2))
    weight = _numbers("weight", weight, shares.dtype, (channels,))
    grad_shares = torch.empty_like(shares)
    grad_weight, grad_bias = shares.new_empty(channels), shares.new_empty(channels)
    given = (grad, x, rectified, shares, weight, moments, mean, rstd, layer, batch)
    found = (grad_x, grad_shares, grad_weight, grad_bias, grad_residual)
    call("backward", maps, (*mixture, training), *given, *found)
    return found


def maps_of(x: Tensor) -> Maps:
    """Return how the library is told of `x` (N, C, ...), one that it takes: type, whether channels_last, N, C, L."""
    images, channels = x.shape[:2]
    return _TYPES[x.dtype], not x.is_contiguous(), images, channels, x.numel() // (images * channels)


def call(name: str, maps: Maps, options: tuple[float, ...], *tensors: Tensor | None) -> None:
    """Call a function of the library.

    Options and tensors are those of its struct in `csrc/native.cpp`, in that order; whatever is of the size of the maps
    must be laid out like them.
    """
    assert functions is not None
    pointers = [0 if tensor is None else tensor.data_ptr() for tensor in tensors]
    if functions[name](_ARGUMENTS[name].pack(torch.get_num_threads(), *maps, *options, *pointers)):
        raise MemoryError(f"no memory for {name} of {maps[2]} x {maps[3]} maps of {maps[4]} elements")


@lru_cache(maxsize=8)
def mixture_of(statistics: tuple[str, ...]) -> tuple[int, ...]:
    """Return where "in", "ln" and "bn" stand in the names, -1 for those that are not among them."""
    return tuple(statistics.index(name) if name in statistics else -1 for name in STATISTICS)


@overload
def _numbers(name: str, few: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor: ...
@overload
def _numbers(name: str, few: Tensor | None, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor | None: ...
def _numbers(name: str, few: Tensor | None, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor | None:
    """Return a few numbers, dense and of the type of the statistics: the library reads memory and cannot tell."""
    if few is None:
        return None
    if few.shape != shape or not few.is_cpu:
        raise ValueError(f"{name} must be of shape {shape} on the CPU, got {tuple(few.shape)} on {few.device}")
    return few if few.dtype == dtype and few.is_contiguous() else few.to(dtype).contiguous()


def laid_out_like(x: Tensor, other: Tensor) -> Tensor:
    """Return `other`, copied if its shape, its type or its place in memory is not that of `x`."""
    if other.dtype == x.dtype and other.is_cpu and other.shape == x.shape and other.stride() == x.stride():
        return other
    return torch.empty_like(x).copy_(other)
