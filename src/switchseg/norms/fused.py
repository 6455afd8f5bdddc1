"""The layer as one registered operator, `switchseg::switch_norm`: it keeps its input and O(N C) numbers for backward.

`torch.compile` and `torch.export` see a single node with a known output. Shapes as in `mixing`.
"""

from typing import Any

import torch
from torch import Tensor

from switchseg.norms import cpu
from switchseg.norms.mixing import mix, mix_backward


@torch.library.custom_op("switchseg::switch_norm", mutates_args=())
def switch_norm(
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
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Normalize, add the residual and rectify a dense or channels_last `x` (N, C, ...) on the CPU.

    Args:
        x: the input.
        shares: (2, K), of the type of the statistics.
        weight: (C,) or None.
        bias: (C,) or None.
        running: (2, C) to use as BN moments in evaluation, or None in training.
        residual: like `x`, added to the normalized values, or None.
        statistics: K names of "in", "ln" and "bn", separated by spaces.
        eps: added to the mixed variance, inside the root.
        relu: whether negative values become 0 at the end.
        group: name of the processes that share batch moments, "" for none.

    Returns:
        The output, IN and mixed moments (4, N, C), LN moments (2, N) and BN moments (2, C).
    """
    moments, normalized = cpu.moments_of_maps(x, eps)
    elements = x.numel() // x.shape[1]
    mixed, layer, batch = mix(moments, shares, statistics.split(), running, elements, group)
    scale = torch.rsqrt(mixed[1] + eps)
    if weight is not None:
        scale = scale * weight
    if normalized is None:
        source, shift = x, -mixed[0] * scale
    else:
        source, shift = normalized, (moments[0] - mixed[0]) * scale
        length = elements // x.shape[0]
        scale = scale * torch.sqrt(moments[1] * (max(1, length - 1) / length) + eps)
    if bias is not None:
        shift = shift + bias
    y = cpu.affine(source, scale, shift, out=normalized)
    if residual is not None:
        y.add_(residual)
    if relu:
        y.relu_()
    return y, torch.cat([moments, mixed]), layer, batch


@switch_norm.register_fake
def _(
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
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    images, channels = x.shape[:2]
    sizes = ((4, images, channels), (2, images), (2, channels))
    return torch.empty_like(x), *(shares.new_empty(size) for size in sizes)


@torch.library.custom_op("switchseg::switch_norm_backward", mutates_args=())
def switch_norm_backward(
    grad: Tensor,
    x: Tensor,
    rectified: Tensor | None,
    shares: Tensor,
    weight: Tensor | None,
    moments: Tensor,
    layer: Tensor,
    batch: Tensor,
    statistics: str,
    eps: float,
    training: bool,
    group: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return the gradients of x, shares (2, K), weight (C,), bias (C,) and, with `rectified`, of the residual.

    Args:
        grad: of the output, any strides.
        x: the operator's input.
        rectified: its output if it ended in a ReLU, or None; the residual's gradient is empty without it.
        shares: the operator's argument.
        weight: the operator's argument.
        moments: its second result.
        layer: its third result.
        batch: its fourth result.
        statistics: the operator's argument.
        eps: the operator's argument.
        training: whether BN moments were those of the batch.
        group: the operator's argument.
    """
    grad = torch.empty_like(x).copy_(grad) if grad.stride() != x.stride() else grad
    grad_residual = grad.new_empty(0)
    if rectified is not None:
        grad = grad_residual = torch.ops.aten.threshold_backward(grad, rectified, 0)
    elements = x.numel() // x.shape[1]
    length = elements // x.shape[0]
    moments, (mean, var) = moments[:2], moments[2:]
    sums, products = cpu.gradient_sums(grad, x, moments[0])
    products = torch.addcmul(products, moments[0] - mean, sums)  # now about the mixed mean
    rstd = torch.rsqrt(var + eps)
    scale = rstd if weight is None else rstd * weight
    grad_mixed = torch.stack([-scale * sums, scale * rstd.square() * products * -0.5])
    grad_moments, grad_shares = mix_backward(
        grad_mixed, moments, layer, batch, shares, statistics.split(), training, elements, group
    )
    slope = grad_moments[1] * (2 / max(1, length - 1) if length > 1 else 0)
    shift = grad_moments[0] / length - slope * moments[0]
    grad_x = cpu.gradient_affine(grad, x, scale, slope, shift)
    return grad_x, grad_shares, (rstd * products).sum(0), sums.sum(0), grad_residual


@switch_norm_backward.register_fake
def _(
    grad: Tensor,
    x: Tensor,
    rectified: Tensor | None,
    shares: Tensor,
    weight: Tensor | None,
    moments: Tensor,
    layer: Tensor,
    batch: Tensor,
    statistics: str,
    eps: float,
    training: bool,
    group: str,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    channels = moments.new_empty(x.shape[1])
    grad_residual = grad.new_empty(0) if rectified is None else torch.empty_like(x)
    return torch.empty_like(x), torch.empty_like(shares), channels, torch.empty_like(channels), grad_residual


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    x, shares, weight, bias, running, residual, statistics, eps, relu, group = inputs
    y, moments, layer, batch = output
    ctx.save_for_backward(x, y if relu else None, shares, weight, moments, layer, batch)
    ctx.mark_non_differentiable(moments, layer, batch)
    ctx.set_materialize_grads(False)
    ctx.options = (statistics, eps, running is None, group)
    ctx.dtypes = tuple(None if tensor is None else tensor.dtype for tensor in (weight, bias))
    ctx.has_residual = residual is not None


def _backward(ctx: Any, grad: Tensor, *_: Any) -> tuple[Any, ...]:
    grad_x, grad_shares, grad_weight, grad_bias, grad_residual = switch_norm_backward(
        grad, *ctx.saved_tensors, *ctx.options
    )
    rectified = ctx.saved_tensors[1] is not None
    weight_dtype, bias_dtype = ctx.dtypes
    return (
        grad_x,
        grad_shares,
        None if weight_dtype is None else grad_weight.to(weight_dtype),
        None if bias_dtype is None else grad_bias.to(bias_dtype),
        None,
        (grad_residual if rectified else grad) if ctx.has_residual else None,
        *[None] * 4,
    )


switch_norm.register_autograd(_backward, setup_context=_setup_context)
