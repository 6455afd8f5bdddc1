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
from switchseg.norms.reference import statistics_dtype


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
    statistics: tuple[str, ...]
    """K names."""
    momentum: float | None
    eps: float
    relu: bool
    training: bool


def takes(x: Tensor, layer: Layer) -> bool:
    """Return whether `switch_norm` can be called: the library reads memory and takes no other types or places."""
    if type(x) is not Tensor or not x.is_cpu or not native.takes(x):
        return False
    dtype = statistics_dtype(x.dtype)
    of_channels, of_statistics = x.shape[1:2], (len(layer.statistics),)
    lacking = [each is None for each in (layer.running_mean, layer.running_var, layer.batches)]
    return (
        _is_plain(layer.mean_logits, dtype, of_statistics)
        and _is_plain(layer.var_logits, dtype, of_statistics)
        and _is_plain(layer.weight, dtype, of_channels)
        and _is_plain(layer.bias, dtype, of_channels)
        and _is_plain(layer.running_mean, dtype, of_channels)
        and _is_plain(layer.running_var, dtype, of_channels)
        and _is_plain(layer.batches, torch.int64, ())
        and ("bn" not in layer.statistics or not any(lacking))
    )


def _is_plain(few: Tensor | None, dtype: torch.dtype, shape: tuple[int, ...]) -> bool:
    return few is None or (few.dtype is dtype and few.is_cpu and few.shape == shape and few.is_contiguous())


def switch_norm(x: Tensor, residual: Tensor | None, layer: Layer) -> Tensor:
    """Compute what `functional.switch_norm` does, and in training move the running statistics."""
    if torch.is_grad_enabled():
        return _Layer.apply(x, residual, *layer[:4], layer)  # type: ignore[no-any-return]
    return _forward(x, residual, layer)[0]


def _forward(x: Tensor, residual: Tensor | None, layer: Layer) -> tuple[Tensor, Tensor]:
    """Return the output, and what the library keeps for the way back."""
    (images, channels), dtype = x.shape[:2], layer.mean_logits.dtype
    residual = None if residual is None else native.laid_out_like(x, residual)
    y = torch.empty_like(x)
    size = 4 * images * channels + 2 * images + 2 * channels + 2 * len(layer.statistics)
    kept = torch.empty(size, dtype=dtype)
    moving = (layer.running_mean, layer.running_var, layer.batches)
    given = (x, *layer[:4], *moving, layer.momentum or 0.0, residual, layer.eps, layer.relu)
    native.call("layer", x, (*native.mixture_of(layer.statistics), layer.training), *given, y, kept)
    if layer.training:
        torch.autograd.graph.increment_version(
            [each for each in moving if each is not None and not each.is_inference()]
        )
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
        y, kept = _forward(x, residual, layer)
        ctx.save_for_backward(x, y if layer.relu else None, weight, kept)
        ctx.set_materialize_grads(False)
        ctx.options = (layer.statistics, layer.training, residual is not None, bias is not None)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor | None) -> Any:
        if grad is None:
            return (None,) * 7
        x, rectified, weight, kept = ctx.saved_tensors
        statistics, training, with_residual, with_bias = ctx.options
        grad = native.laid_out_like(x, grad)
        grad_x = torch.empty_like(x)
        grad_residual = grad if with_residual else None
        if rectified is not None:
            rectified = native.laid_out_like(x, rectified)
            grad_residual = torch.empty_like(x) if with_residual else None
        few = [kept.new_empty(length) for length in (len(statistics), len(statistics), x.shape[1], x.shape[1])]
        given = (grad, x, rectified, weight, kept)
        written = grad_residual if rectified is not None else None
        native.call("layer_backward", x, (*native.mixture_of(statistics), training), *given, grad_x, *few, written)
        grad_mean, grad_var, grad_weight, grad_bias = few
        affine = (None if weight is None else grad_weight, grad_bias if with_bias else None)
        return grad_x, grad_residual, grad_mean, grad_var, *affine, None
