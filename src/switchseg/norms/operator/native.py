"""The operator on the CPU, by the passes that `csrc` is compiled to when the package is installed.

Without a compiler there is no library, and `aten` computes the same in more passes and many more calls.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import lru_cache
from math import prod
from pathlib import Path
from struct import Struct

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
# The structs of `csrc/native.cpp`: q an integer or a pointer, d a real. ctypes takes longer over twenty arguments than
# the library over a small map.
_ARGUMENTS = {
    "moments": Struct("6q 2q"),
    "apply": Struct("6q q 5q"),
    "gradient_sums": Struct("6q 6q"),
    "gradient": Struct("6q 7q"),
    "forward": Struct("6q 5q 2d 11q"),
    "backward": Struct("6q 4q 11q"),
}

functions = load_functions(
    Path(__file__).parents[1] / "_native",
    _INTERFACE,
    {name: [ctypes.c_char_p] for name in _ARGUMENTS},
    {name: struct.size for name, struct in _ARGUMENTS.items()},
)


def obstacle(dtype: torch.dtype) -> str:
    """Say what keeps the library from taking inputs of `dtype`, "" if nothing does."""
    if functions is None:
        return "no compiler when the package was installed"
    return "" if dtype in _TYPES else f"there are no passes for {dtype}"


def forward(inputs: Inputs, options: Options) -> tuple[Tensor, Tensor]:
    """Compute the output and what is kept; see `call.Backend`."""
    x, residual, *few = inputs
    shape = x.shape
    if residual is not None:
        residual = laid_out_like(x, residual)
    y, kept = torch.empty_like(x), inputs.mean_mix.new_empty(Kept.size(shape[0], shape[1]))
    if options.group:
        _forward_with_others(inputs, options, residual, y, Kept(kept, shape[0], shape[1]))
        return y, kept
    statistics, eps, momentum, relu, training, *_ = options
    # Without a momentum all batches weigh alike: a least weight of 0.
    numbers = (*_mixture(statistics), training, relu, momentum or 0.0, eps)
    _call("forward", x, numbers, (x, residual, *few, y, kept))
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
    grad_x, _, *few = found
    numbers = (*_mixture(options.statistics), options.training)
    _call("backward", x, numbers, (grad, x, y, weight, kept, grad_x, written, *few))
    return found


def _forward_with_others(inputs: Inputs, options: Options, residual: Tensor | None, y: Tensor, kept: Kept) -> None:
    x, weight, bias = inputs.x, inputs.weight, inputs.bias
    # In steps, since the moments of other processes come between two passes over the maps.
    _call("moments", x, (), (x, kept.moments))
    mixed = mix(inputs, options, kept)
    kept.mean.copy_(mixed[0])
    torch.rsqrt(mixed[1] + options.eps, out=kept.rstd)
    scale = kept.rstd if weight is None else kept.rstd * weight
    shift = (kept.moments[0] - kept.mean) * scale
    coefficients = torch.stack([scale, shift if bias is None else shift + bias])
    _call("apply", x, (options.relu,), (x, residual, kept.moments, coefficients, y))


def _backward_with_others(
    grad: Tensor,
    rectified: Tensor | None,
    written: Tensor | None,
    saved: Saved,
    options: Options,
    found: Gradients,
) -> Gradients:
    x, weight = saved.x, saved.weight
    images, channels, *sides = x.shape
    length = prod(sides)
    kept = Kept(saved.kept, images, channels)
    sums, products = torch.empty_like(kept.moments).unbind()
    _call("gradient_sums", x, (), (grad, rectified, x, kept.mean, sums, products))
    products *= kept.rstd
    scale = kept.rstd if weight is None else kept.rstd * weight
    grad_mixed = torch.stack([-sums, -0.5 * kept.rstd * products]) * scale
    grad_moments, mixes = mix_backward(grad_mixed, kept, options, images * length)
    coefficients = torch.stack([scale, grad_moments[1] * (2 / max(1, length - 1)), grad_moments[0] / length])
    _call("gradient", x, (), (grad, rectified, x, kept.moments, coefficients, found.x, written))
    return found._replace(
        mean_mix=mixes[0],
        var_mix=mixes[1],
        weight=None if weight is None else products.sum(0),
        bias=sums.sum(0) if saved.with_bias else None,
    )


def _call(name: str, x: Tensor, numbers: tuple[float, ...], tensors: Sequence[Tensor | None]) -> None:
    """Call a function of the library for maps like `x`.

    Numbers and tensors are those of its struct in `csrc/native.cpp`, in that order; whatever is of the size of the maps
    must be laid out like them.
    """
    assert functions is not None
    images, channels, *sides = x.shape
    pointers = [0 if tensor is None else tensor.data_ptr() or _missing() for tensor in tensors]
    maps = _TYPES[x.dtype], not x.is_contiguous(), images, channels, prod(sides)
    if functions[name](_ARGUMENTS[name].pack(torch.get_num_threads(), *maps, *numbers, *pointers)):
        raise MemoryError(f"no memory for {name} of {tuple(x.shape)}")


def _missing() -> int:
    raise RuntimeError("a tensor of a SwitchNorm has no memory: its storage was freed")


@lru_cache(maxsize=8)
def _mixture(statistics: tuple[str, ...]) -> tuple[int, ...]:
    """Return where "in", "ln" and "bn" stand in the names, -1 for those that are not among them."""
    return tuple(statistics.index(name) if name in statistics else -1 for name in STATISTICS)
