"""The operator as `switchseg::switch_norm`: what compilers see, a single node with a known output.

The only flat signatures are here: an operator of torch takes tensors, numbers and strings.
"""

from __future__ import annotations

from typing import Any, List  # noqa: UP035 - see below

import torch
from torch import Tensor

from switchseg.norms.operator.backends import find_backend, find_plan, plan_once
from switchseg.norms.operator.call import STATISTICS, Gradients, Inputs, Kept, Options, Saved
from switchseg.norms.operator.layout import dense, laid_out_like
from switchseg.norms.operator.plan import Absent, what_a_relu_keeps


@torch.library.custom_op("switchseg::switch_norm", mutates_args=())
def operator(
    x: Tensor,
    residual: Tensor | None,
    mean_mix: Tensor,
    var_mix: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    statistics: str,
    eps: float,
    relu: bool,
    training: bool,
    group: str,
    backend: str,
) -> tuple[Tensor, Tensor]:
    """Return the output, and what `call.Kept` holds; the arguments are those of `Inputs` and `Options`."""
    # A compiler may have chosen other strides since `functional` made the maps dense.
    inputs = Inputs(x, residual, mean_mix, var_mix, weight, bias, running_mean, running_var).laid_out()
    options = Options(tuple(statistics.split()), eps, None, relu, training, var_mix is not None, group)
    plan = find_plan(inputs, options, backend)
    assert plan is not None
    y, kept = plan.forward(inputs, plan.addresses_of_fitting(inputs))
    # Memory that nothing wrote would differ between equal calls, which `opcheck` compares.
    if len(options.statistics) < len(STATISTICS):
        Kept(kept, *x.shape[:2]).clear_unused(options)
    return y, kept


@operator.register_fake
def _(x: Tensor, residual: Tensor | None, mean_mix: Tensor, *_: Any) -> tuple[Tensor, Tensor]:
    return torch.empty_like(x), mean_mix.new_empty(Kept.size(*x.shape[:2]))


@torch.library.custom_op("switchseg::switch_norm_backward", mutates_args=())
def backward_operator(
    grad: Tensor,
    x: Tensor,
    y: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    kept: Tensor,
    with_residual: bool,
    with_bias: bool,
    statistics: str,
    eps: float,
    relu: bool,
    training: bool,
    softmax: bool,
    group: str,
    backend: str,
) -> List[Tensor]:  # noqa: UP006 - custom_op of torch 2.6 knows no list[Tensor]
    """Return `Gradients`, empty tensors for None; the arguments are those of `Saved` and `Options`."""
    x = dense(x)
    grad = laid_out_like(x, grad)
    options = Options(tuple(statistics.split()), eps, None, relu, training, softmax, group)
    absent = Absent(not with_residual, weight is None, not with_bias)
    plan = plan_once(backend, x.dtype, x.shape, x.stride(), x.device, absent, options)
    assert plan is not None
    found = plan.backward(grad, Saved(x, y, weight, bias, kept))
    # An operator may not return what it was given: without a ReLU that is the residual's gradient.
    found = found._replace(residual=None if found.residual is grad else found.residual)
    return [kept.new_empty(0) if each is None else each for each in found]


@backward_operator.register_fake
def _(
    grad: Tensor,
    x: Tensor,
    y: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    kept: Tensor,
    with_residual: bool,
    with_bias: bool,
    statistics: str,
    eps: float,
    relu: bool,
    training: bool,
    softmax: bool,
    *_: Any,
) -> list[Tensor]:
    count, channels, absent = len(statistics.split()), x.shape[1], kept.new_empty(0)
    return [
        torch.empty_like(x),
        torch.empty_like(x) if y is not None and with_residual else absent,
        kept.new_empty(count) if softmax else kept.new_empty(count, 2),
        kept.new_empty(count) if softmax else absent,
        absent if weight is None else kept.new_empty(channels),
        kept.new_empty(channels) if with_bias else absent,
    ]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, residual, _, var_mix, weight, bias, _, _, statistics, eps, relu, training, group, backend = inputs
    y, kept = output
    keeps_output, keeps_bias = what_a_relu_keeps(find_backend(backend).keeps_output, relu, residual is not None)
    ctx.mark_non_differentiable(kept)
    # Nothing depends on `kept`, so there would be zeros to be made for its gradient in every pass.
    ctx.set_materialize_grads(False)
    ctx.save_for_backward(x, y if keeps_output else None, weight, bias if keeps_bias else None, kept)
    ctx.how = (
        residual is not None,
        bias is not None,
        statistics,
        eps,
        relu,
        training,
        var_mix is not None,
        group,
        backend,
    )


def _backward(ctx: Any, grad: Tensor | None, _: Any) -> tuple[Tensor | None, ...]:
    if grad is None:
        return (None,) * 14
    x, y, weight, bias, kept = ctx.saved_tensors
    with_residual, with_bias, *_, softmax, _, _ = ctx.how
    found = Gradients(*backward_operator(grad, x, y, weight, bias, kept, *ctx.how))
    # Without a ReLU it is the output's own, which the operator may not return.
    if with_residual and y is None:
        found = found._replace(residual=grad)
    present = (True, with_residual, True, softmax, weight is not None, with_bias)
    return *[each if is_there else None for each, is_there in zip(found, present, strict=True)], *[None] * 8


operator.register_autograd(_backward, setup_context=_setup_context)


def run(backend: str, inputs: Inputs, options: Options) -> tuple[Tensor, Tensor]:
    """Compute a layer's output, and the BN moments (2, 1, C) that were mixed; running statistics stay as they are."""
    names = " ".join(options.statistics)
    numbers = (options.eps, options.relu, options.training, options.group, backend)
    y, kept = operator(*inputs[:8], names, *numbers)
    return y, Kept(kept, *inputs.x.shape[:2]).batch
