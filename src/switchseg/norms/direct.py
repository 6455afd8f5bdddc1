"""A whole layer on the CPU in one call of the library each way: the operator, its softmax and the running statistics.

Small maps are normalized faster than torch starts an operation, so what surrounds the passes decides what they cost.
What does not fit in here (other processes, sparse shares, mixed types, compilers) takes `functional.switch_norm`, which
computes the same.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from switchseg.norms import native
from switchseg.norms.functional import is_followed
from switchseg.norms.reference import statistics_dtype

_PLAIN = (torch.nn.Parameter, Tensor)  # subclasses may keep their numbers elsewhere


class Layer(NamedTuple):
    """The tensors of a layer, and how it uses them; see `SwitchNorm`."""

    mean_logits: Tensor
    """(K,)"""
    var_logits: Tensor
    """(K,)"""
    weight: Tensor | None
    """(C,)"""
    bias: Tensor | None
    """(C,)"""
    running_mean: Tensor | None
    """(C,), as the following two None where "bn" is not mixed."""
    running_var: Tensor | None
    batches: Tensor | None
    """int64 (): how many the running statistics have seen."""
    channels: int
    """C"""
    statistics: tuple[str, ...]
    """K names."""
    momentum: float | None
    eps: float
    relu: bool
    training: bool


def takes(x: Tensor, layer: Layer) -> bool:
    """Return whether `switch_norm` can be called: the library reads memory and takes no other types or places.

    Nor may a tracer or a transform follow the computation, since it sees nothing of it. Written to touch little: behind
    a large map the caches are cold, and each line costs several times what it does in a loop.
    """
    if type(x) is not Tensor or not x.is_cpu or x.dim() < 3 or not native.takes(x) or is_followed():
        return False
    if "bn" in layer.statistics:
        if layer.batches is None or not _is_plain(layer.batches, torch.int64, ()):
            return False
        if layer.running_mean is None or layer.running_var is None:
            return False
    dtype, of_channels, of_statistics = statistics_dtype(x.dtype), (layer.channels,), (len(layer.statistics),)
    return (
        x.shape[1] == layer.channels
        and _is_plain(layer.mean_logits, dtype, of_statistics)
        and _is_plain(layer.var_logits, dtype, of_statistics)
        and (layer.weight is None or _is_plain(layer.weight, dtype, of_channels))
        and (layer.bias is None or _is_plain(layer.bias, dtype, of_channels))
        and (layer.running_mean is None or _is_plain(layer.running_mean, dtype, of_channels))
        and (layer.running_var is None or _is_plain(layer.running_var, dtype, of_channels))
    )


def _is_plain(few: Tensor, dtype: torch.dtype, shape: tuple[int, ...]) -> bool:
    plain = type(few) in _PLAIN and few.dtype is dtype
    return plain and few.is_cpu and few.shape == shape and few.is_contiguous()


def switch_norm(x: Tensor, residual: Tensor | None, layer: Layer) -> Tensor:
    """Compute what `functional.switch_norm` does, and in training move the running statistics."""
    if torch.is_grad_enabled():
        return _Layer.apply(x, residual, *layer[:4], layer)  # type: ignore[no-any-return]
    return _forward(x, native.maps_of(x), residual, layer)[0]


def _forward(x: Tensor, maps: native.Maps, residual: Tensor | None, layer: Layer) -> tuple[Tensor, Tensor]:
    """Return the output, and what the library keeps for the way back."""
    _, _, images, channels, _ = maps
    residual = None if residual is None else native.laid_out_like(x, residual)
    y = torch.empty_like(x)
    size = 4 * images * channels + 2 * images + 2 * channels + 2 * len(layer.statistics)
    kept = torch.empty(size, dtype=layer.mean_logits.dtype)
    moving = (layer.running_mean, layer.running_var, layer.batches)
    options = (*native.mixture_of(layer.statistics), layer.training, layer.relu, layer.momentum or 0.0, layer.eps)
    native.call("layer", maps, options, x, *layer[:4], residual, *moving, y, kept)
    if layer.training:
        torch.autograd.graph.increment_version([each for each in moving if each is not None])
    return y, kept


class _Layer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        residual: Tensor | None,
        mean_logits: Tensor,
        var_logits: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        layer: Layer,
    ) -> Tensor:
        ctx.maps, ctx.layer, ctx.with_residual = native.maps_of(x), layer, residual is not None
        y, kept = _forward(x, ctx.maps, residual, layer)
        ctx.save_for_backward(x, y if layer.relu else None, weight, kept)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        return _backward_once(ctx, grad) if torch.is_grad_enabled() else _backward(ctx, grad)


def _backward(ctx: Any, grad: Tensor) -> Any:
    x, rectified, weight, kept = ctx.saved_tensors
    layer: Layer = ctx.layer
    grad = native.laid_out_like(x, grad)
    grad_x = torch.empty_like(x)
    grad_residual = written = None
    if rectified is not None:
        rectified = native.laid_out_like(x, rectified)
        grad_residual = written = torch.empty_like(x) if ctx.with_residual else None
    elif ctx.with_residual:
        grad_residual = grad
    learned = [None if each is None else torch.empty_like(each) for each in layer[:4]]
    options = (*native.mixture_of(layer.statistics), layer.training)
    native.call("layer_backward", ctx.maps, options, grad, x, rectified, weight, kept, grad_x, *learned, written)
    return grad_x, grad_residual, *learned, None


_backward_once = once_differentiable(_backward)
