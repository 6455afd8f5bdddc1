"""The layer as one operator, `switchseg::switch_norm`: it keeps its input and O(N C) numbers for backward.

Compilers and exporters see a single node with a known output; plain eager calls skip the dispatcher, which costs more
than small maps do. Shapes as in `mixing`; the element type of everything but x is that of the statistics.
"""

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from switchseg.norms import aten, native
from switchseg.norms.reference import statistics_dtype


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
    """Normalize, add the residual and rectify a dense or channels_last `x` (N, C, ...).

    Args:
        x: the input.
        shares: (K, 2), of the type of the statistics.
        weight: (C,) or None.
        bias: (C,) or None.
        running: (2, C) to use as BN moments in evaluation, or None in training.
        residual: like `x`, added to the normalized values, or None.
        statistics: K names of "in", "ln" and "bn", separated by spaces.
        eps: added to the mixed variance, inside the root.
        relu: whether negative values become 0 at the end.
        group: name of the processes that share batch moments, "" for none.

    Returns:
        The output, and for backward: IN moments (2, N, C), mixed mean (N, C), 1 / sqrt(mixed variance + eps) (N, C),
        LN moments (2, N, 1) and BN moments (2, 1, C). Those last two are empty where they are not mixed.
    """
    return _implementation(x).forward(x, shares, weight, bias, running, residual, statistics, eps, relu, group)


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
    """Return the gradients of x, shares (K, 2), weight (C,), bias (C,) and of the residual.

    Args:
        grad: of the output, any strides.
        x: the input of `forward`.
        rectified: its output if it ended in a ReLU, or None: then the residual's gradient is `grad`, and empty here.
        shares: as in `forward`.
        weight: as in `forward`.
        moments: a result of `forward`, like the four that follow.
        mean: mixed.
        rstd: mixed.
        layer: LN moments.
        batch: BN moments.
        statistics: as in `forward`.
        training: whether BN moments were those of the batch.
        with_residual: whether something was added before the ReLU.
        group: as in `forward`.
    """
    few = (shares, weight, moments, mean, rstd, layer, batch)
    return _implementation(x).backward(grad, x, rectified, *few, statistics, training, with_residual, group)


class _Implementation(Protocol):
    """A module that computes the two functions above."""

    @property
    def forward(self) -> Callable[..., tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]]: ...

    @property
    def backward(self) -> Callable[..., tuple[Tensor, Tensor, Tensor, Tensor, Tensor]]: ...


def _implementation(x: Tensor) -> _Implementation:
    if x.is_cuda:
        from switchseg.norms import cuda  # needs triton

        return cuda
    return native if native.takes(x) else aten


operator = torch.library.custom_op("switchseg::switch_norm", forward, mutates_args=())
backward_operator = torch.library.custom_op("switchseg::switch_norm_backward", backward, mutates_args=())


@operator.register_fake
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
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    images, channels = x.shape[:2]
    names = statistics.split()
    layer = shares.new_empty((2, images, 1) if "ln" in names else (0,))
    batch = shares.new_empty((2, 1, channels) if "bn" in names else (0,))
    mean = shares.new_empty(images, channels)
    return torch.empty_like(x), shares.new_empty(2, images, channels), mean, torch.empty_like(mean), layer, batch


@backward_operator.register_fake
def _(
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
    channels = shares.new_empty(x.shape[1])
    grad_residual = torch.empty_like(x) if rectified is not None and with_residual else grad.new_empty(0)
    return torch.empty_like(x), torch.empty_like(shares), channels, torch.empty_like(channels), grad_residual


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.mark_non_differentiable(*output[1:])
    _save(ctx, inputs, output)


def _save(ctx: Any, inputs: tuple[Any, ...], results: tuple[Tensor, ...]) -> None:
    x, shares, weight, bias, running, residual, statistics, _, relu, group = inputs
    y, *moments = results
    ctx.save_for_backward(x, y if relu else None, shares, weight, *moments)
    ctx.set_materialize_grads(False)
    ctx.options = (statistics, running is None, residual is not None, group)
    ctx.dtypes = tuple(None if tensor is None else tensor.dtype for tensor in (weight, bias))


def _gradients(
    function: Callable[..., tuple[Tensor, ...]], ctx: Any, saved: tuple[Any, ...], grad: Tensor
) -> tuple[Tensor | None, ...]:
    """Return the gradients of `forward`'s inputs, by `backward` or its operator.

    `saved` are the context's tensors, read once by the caller: activation checkpointing lets nobody read them again.
    """
    grad_x, grad_shares, grad_weight, grad_bias, grad_residual = function(grad, *saved, *ctx.options)
    weight_dtype, bias_dtype = ctx.dtypes
    if saved[1] is None:
        grad_residual = grad
    return (
        grad_x,
        grad_shares,
        None if weight_dtype is None else grad_weight.to(weight_dtype),
        None if bias_dtype is None else grad_bias.to(bias_dtype),
        None,
        grad_residual if ctx.options[2] else None,
        *[None] * 4,
    )


def _operator_backward(ctx: Any, grad: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
    return (None,) * 10 if grad is None else _gradients(backward_operator, ctx, ctx.saved_tensors, grad)


operator.register_autograd(_operator_backward, setup_context=_setup_context)


class _Eager(torch.autograd.Function):
    """The operator with the softmax before it: as nodes of their own its few numbers cost as much as a pass.

    Takes the logits of the mean's and the variance's shares (K,), or the shares (K, 2) and None; then the operator's
    other inputs.
    """

    # With a `setup_context` of its own, torch would inspect the signature in every call.
    @staticmethod
    def forward(ctx: Any, x: Tensor, shares: Tensor, var_logits: Tensor | None, *rest: Any) -> Any:
        ctx.logits = None if var_logits is None else shares.dtype
        if var_logits is not None:
            shares = softmax_shares(shares, var_logits, x.dtype)
        results = forward(x, shares, *rest)
        _save(ctx, (x, shares, *rest), results)
        ctx.mark_non_differentiable(results[-1])
        return results[0], results[-1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor | None, *_: Any) -> Any:
        if grad is None:
            return (None,) * 11
        saved = ctx.saved_tensors
        grad_x, grad_shares, *rest = _gradients(backward, ctx, saved, grad)
        if ctx.logits is None or grad_shares is None:
            return grad_x, grad_shares, None, *rest
        grad_logits = torch._softmax_backward_data(grad_shares, saved[2], 0, grad_shares.dtype).to(ctx.logits)
        return grad_x, *grad_logits.unbind(1), *rest


def softmax_shares(mean_logits: Tensor, var_logits: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the shares (K, 2) that belong to logits (K,), for an input of type `dtype`."""
    return torch.stack([mean_logits, var_logits], 1).softmax(0, dtype=statistics_dtype(dtype))


def switch_norm(x: Tensor, shares: Tensor | tuple[Tensor, Tensor], *arguments: Any) -> tuple[Tensor, Tensor]:
    """Call `forward` under autograd, with shares (K, 2) or, of the mean and of the variance, their logits (K,).

    Returns:
        Its output and the BN moments (2, 1, C), empty if they are not mixed.
    """
    # Subclasses (fake tensors among them) are for the dispatcher, and so is what a compiler traces.
    dispatched = torch.compiler.is_compiling() or type(x) is not Tensor
    if dispatched or not torch.is_grad_enabled():
        shares = shares if isinstance(shares, Tensor) else softmax_shares(*shares, x.dtype)
        y, *_, batch = (operator if dispatched else forward)(x, shares, *arguments)
        return y, batch
    logits = (shares, None) if isinstance(shares, Tensor) else shares
    return _Eager.apply(x, *logits, *arguments)  # type: ignore[no-any-return]
