"""The operator on the CPU, by the passes that `csrc` is compiled to when the package is installed.

Without a compiler there is no library, and `aten` computes the same in more passes and many more calls.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from pathlib import Path
from struct import Struct
from typing import NamedTuple

import torch
from torch import Tensor

from switchseg.norms.library import load_functions
from switchseg.norms.operator.call import STATISTICS, Gradients, Inputs, Kept, Options, Saved, gradients_like
from switchseg.norms.operator.layout import laid_out_like, strided_like
from switchseg.norms.operator.mixing import mix, mix_backward

name = "native"
keeps_output = True

_INTERFACE = 6  # of `csrc/native.cpp`; to be raised there and here when arguments change
_TYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2}
# The structs of `csrc/native.cpp` after what all begin with: numbers (q an integer, d a real), then so many addresses.
_STRUCTS = {
    "moments": ("", 2),
    "apply": ("q", 5),
    "gradient_sums": ("", 6),
    "gradient": ("", 7),
    "forward": ("5q2d", 11),
    "backward": ("4q", 11),
}

functions = load_functions(
    Path(__file__).parents[1] / "_native",
    _INTERFACE,
    {name: [ctypes.c_char_p] for name in _STRUCTS},
    {name: Struct(f"6q{numbers}{addresses}q").size for name, (numbers, addresses) in _STRUCTS.items()},
)


def obstacle(dtype: torch.dtype) -> str:
    """Say what keeps the library from taking inputs of `dtype`, "" if nothing does."""
    if functions is None:
        return "its library was not built when the package was installed, or not for this machine and version"
    return "" if dtype in _TYPES else f"there are no passes for {dtype}"


def forward(inputs: Inputs, options: Options) -> tuple[Tensor, Tensor]:
    """Compute the output and what is kept; see `call.Backend`."""
    x, residual, mean_mix, *_ = inputs
    shape = x.shape
    if residual is not None:
        residual = laid_out_like(x, residual)
        inputs = inputs._replace(residual=residual)
    y, kept = torch.empty_like(x), mean_mix.new_empty(Kept.size(shape[0], shape[1]))
    if options.group:
        _forward_with_others(inputs, options, residual, y, Kept(kept, shape[0], shape[1]))
    else:
        _call("forward", x, options, (*inputs, y, kept))
    return y, kept


def backward(grad: Tensor, saved: Saved, options: Options) -> Gradients:
    """Compute the gradients; see `call.Backend`."""
    x, y, weight, _, kept, with_residual, _ = saved
    grad, written = strided_like(x, grad), None
    if y is not None:
        y, written = strided_like(x, y), torch.empty_like(x) if with_residual else None
    found = gradients_like(saved, options, grad, written)
    if options.group:
        return _backward_with_others(grad, y, written, saved, options, found)
    _call("backward", x, options, (grad, x, y, weight, kept, found[0], written, *found[2:]))
    return found


def _forward_with_others(inputs: Inputs, options: Options, residual: Tensor | None, y: Tensor, kept: Kept) -> None:
    x, weight, bias = inputs.x, inputs.weight, inputs.bias
    # In steps, since the moments of other processes come between two passes over the maps.
    _call("moments", x, options, (x, kept.moments))
    mixed = mix(inputs, options, kept)
    kept.mean.copy_(mixed[0])
    torch.rsqrt(mixed[1] + options.eps, out=kept.rstd)
    scale = kept.rstd if weight is None else kept.rstd * weight
    shift = (kept.moments[0] - kept.mean) * scale
    coefficients = torch.stack([scale, shift if bias is None else shift + bias])
    _call("apply", x, options, (x, residual, kept.moments, coefficients, y))


def _backward_with_others(
    grad: Tensor,
    rectified: Tensor | None,
    written: Tensor | None,
    saved: Saved,
    options: Options,
    found: Gradients,
) -> Gradients:
    x, weight = saved.x, saved.weight
    images, channels = x.shape[:2]
    length = x.numel() // (images * channels)
    kept = Kept(saved.kept, images, channels)
    sums, products = torch.empty_like(kept.moments).unbind()
    _call("gradient_sums", x, options, (grad, rectified, x, kept.mean, sums, products))
    products *= kept.rstd
    scale = kept.rstd if weight is None else kept.rstd * weight
    grad_mixed = torch.stack([-sums, -0.5 * kept.rstd * products]) * scale
    grad_moments, mixes = mix_backward(grad_mixed, kept, options, images * length)
    coefficients = torch.stack([scale, grad_moments[1] * (2 / max(1, length - 1)), grad_moments[0] / length])
    _call("gradient", x, options, (grad, rectified, x, kept.moments, coefficients, found.x, written))
    return found._replace(
        mean_mix=mixes[0],
        var_mix=mixes[1],
        weight=None if weight is None else products.sum(0),
        bias=sums.sum(0) if saved.with_bias else None,
    )


def _call(name: str, x: Tensor, options: Options, tensors: Sequence[Tensor | None]) -> None:
    """Call a function of the library for maps like `x`.

    Tensors are those of its struct in `csrc/native.cpp`, in that order; whatever is of the size of the maps must be
    laid out like them.
    """
    function, pack, numbers = _prepare(name, x.dtype, x.shape, x.is_contiguous(), options)
    addresses = [0 if tensor is None else tensor.data_ptr() or _missing() for tensor in tensors]
    if function(pack(torch.get_num_threads(), numbers, *addresses)):
        raise MemoryError(f"no memory for {name} of {tuple(x.shape)}")


def _missing() -> int:
    raise RuntimeError("a tensor of a SwitchNorm has no memory: its storage was freed")


class _Call(NamedTuple):
    """A function of the library, and what it is told of all maps of one shape, type and layout."""

    function: Callable[[bytes], int]
    pack: Callable[..., bytes]
    """Makes its argument of the number of threads, `numbers` and the addresses of the tensors."""
    numbers: bytes


# Kept, since ctypes takes longer over twenty arguments, and the interpreter over what they are, than a small map takes.
@lru_cache(maxsize=4096)
def _prepare(name: str, dtype: torch.dtype, shape: torch.Size, contiguous: bool, options: Options) -> _Call:
    assert functions is not None
    images, channels, *sides = shape
    # Where "in", "ln" and "bn" stand among the shares. Without a momentum all batches weigh alike: a least weight of 0.
    mixture = [options.row_of(statistic) for statistic in STATISTICS]
    numbers: dict[str, list[float]] = {
        "apply": [options.relu],
        "forward": [*mixture, options.training, options.relu, options.momentum or 0.0, options.eps],
        "backward": [*mixture, options.training],
    }
    form, addresses = _STRUCTS[name]
    maps = _TYPES[dtype], not contiguous, images, channels, prod(sides)
    packed = Struct(f"5q{form}").pack(*maps, *numbers.get(name, []))
    return _Call(functions[name], Struct(f"q{len(packed)}s{addresses}q").pack, packed)
