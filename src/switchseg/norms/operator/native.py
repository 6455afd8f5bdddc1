"""The operator on the CPU, by the passes that `csrc` is compiled to when the package is installed.

Without a compiler there is no library, and `aten` computes the same in more passes and many more calls.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from math import prod
from pathlib import Path
from struct import Struct, pack

import torch
from torch import Tensor

from switchseg.norms.library import load_functions
from switchseg.norms.operator.call import STATISTICS, Gradients, Inputs, Kept, Saved
from switchseg.norms.operator.layout import is_contiguous
from switchseg.norms.operator.mixing import mix, mix_backward
from switchseg.norms.operator.plan import Plan, Signature

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


def plan(signature: Signature) -> Plan:
    """Return how layers of a signature are computed; see `plan.Backend`."""
    return _InSteps(signature, keeps_output) if signature.options.group else _InOneCall(signature, keeps_output)


def _prepare(name: str, signature: Signature) -> Callable[[bytes], None]:
    """Return a function of the library that knows all but the addresses of its tensors.

    They are those of its struct in `csrc/native.cpp`, in that order, 64 bits each.
    """
    assert functions is not None
    dtype, shape, strides, *_, options = signature
    images, channels, *sides = shape
    # Where "in", "ln" and "bn" stand among the shares. Without a momentum all batches weigh alike: a least weight of 0.
    mixture = [options.row_of(statistic) for statistic in STATISTICS]
    arguments: dict[str, list[float]] = {
        "apply": [options.relu],
        "forward": [*mixture, options.training, options.relu, options.momentum or 0.0, options.eps],
        "backward": [*mixture, options.training],
    }
    form, tensors = _STRUCTS[name]
    maps = _TYPES[dtype], not is_contiguous(shape, strides), images, channels, prod(sides)
    numbers = Struct(f"5q{form}").pack(*maps, *arguments.get(name, []))
    function, pack_all = functions[name], Struct(f"q{len(numbers)}s{8 * tensors}s").pack

    def call(addresses: bytes) -> None:
        if function(pack_all(torch.get_num_threads(), numbers, addresses)):
            raise MemoryError(f"no memory for {name} of {tuple(shape)}")

    return call


class _InOneCall(Plan):
    def __init__(self, signature: Signature, keeps_output: bool) -> None:
        super().__init__(signature, keeps_output)
        self._forward, self._backward = _prepare("forward", signature), _prepare("backward", signature)
        self._addresses_of_saved = self.forms([*self.saved, self.maps, self.masked, *self.learned]).reader(exact=False)

    def forward(self, inputs: Inputs, addresses: bytes) -> tuple[Tensor, Tensor]:
        y, kept = torch.empty_like(inputs.x), inputs.mean_mix.new_empty(self.kept_size)
        self._forward(addresses + _two(y.data_ptr(), kept.data_ptr()))
        return y, kept

    def backward(self, grad: Tensor, saved: Saved) -> Gradients:
        x, y, weight, _, kept = saved
        found = self.room_for_gradients(grad, x, kept)
        masked = None if y is None else found.residual
        addresses = self._addresses_of_saved((grad, x, y, weight, kept, found.x, masked, *found[2:]))
        if addresses is None:
            return self.backward(*self.laid_out(grad, saved))
        self._backward(addresses)
        return found


class _InSteps(Plan):
    """With the moments of other processes, which come between two passes over the maps."""

    def __init__(self, signature: Signature, keeps_output: bool) -> None:
        super().__init__(signature, keeps_output)
        self._calls = {name: _prepare(name, signature) for name in ("moments", "apply", "gradient_sums", "gradient")}
        self._addresses_of_saved = self.forms(self.saved).reader(exact=False)

    def forward(self, inputs: Inputs, addresses: bytes) -> tuple[Tensor, Tensor]:
        x, weight, bias = inputs.x, inputs.weight, inputs.bias
        y, numbers = torch.empty_like(x), inputs.mean_mix.new_empty(self.kept_size)
        kept = Kept(numbers, *x.shape[:2])
        self._call("moments", x, kept.moments)
        mixed = mix(inputs, self.options, kept)
        kept.mean.copy_(mixed[0])
        torch.rsqrt(mixed[1] + self.options.eps, out=kept.rstd)
        scale = kept.rstd if weight is None else kept.rstd * weight
        shift = (kept.moments[0] - kept.mean) * scale
        coefficients = torch.stack([scale, shift if bias is None else shift + bias])
        self._call("apply", x, inputs.residual, kept.moments, coefficients, y)
        return y, numbers

    def backward(self, grad: Tensor, saved: Saved) -> Gradients:
        x, y, weight, _, numbers = saved
        if self._addresses_of_saved((grad, x, y, weight, numbers)) is None:
            return self.backward(*self.laid_out(grad, saved))
        found = self.room_for_gradients(grad, x, numbers)
        images, channels = x.shape[:2]
        length = x.numel() // (images * channels)
        kept = Kept(numbers, images, channels)
        sums, products = torch.empty_like(kept.moments).unbind()
        self._call("gradient_sums", grad, y, x, kept.mean, sums, products)
        products *= kept.rstd
        scale = kept.rstd if weight is None else kept.rstd * weight
        grad_mixed = torch.stack([-sums, -0.5 * kept.rstd * products]) * scale
        grad_moments, mixes = mix_backward(grad_mixed, kept, self.options, images * length)
        coefficients = torch.stack([scale, grad_moments[1] * (2 / max(1, length - 1)), grad_moments[0] / length])
        masked = None if y is None else found.residual
        self._call("gradient", grad, y, x, kept.moments, coefficients, found.x, masked)
        return found._replace(
            mean_mix=mixes[0],
            var_mix=mixes[1],
            weight=None if weight is None else products.sum(0),
            bias=None if self.signature.absent.bias else sums.sum(0),
        )

    def _call(self, name: str, *tensors: Tensor | None) -> None:
        addresses = [0 if tensor is None else tensor.data_ptr() for tensor in tensors]
        self._calls[name](pack(f"{len(addresses)}q", *addresses))


_two = Struct("2q").pack
