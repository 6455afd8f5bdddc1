"""The operator under autograd, without the dispatcher, which costs more than small maps do."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from switchseg.norms.operator.call import Inputs, Kept, Saved
from switchseg.norms.operator.layout import in_memory
from switchseg.norms.operator.plan import Plan


def run(plan: Plan, inputs: Inputs, addresses: bytes) -> Tensor:
    """Compute a layer's output, differentiable once; a count among the inputs moves the running statistics."""
    if torch.is_grad_enabled():
        return _Eager.apply(*inputs[:6], (plan, inputs, addresses, None))  # type: ignore[no-any-return]
    return _forward(plan, inputs, addresses)[0]


def run_with_batch(plan: Plan, inputs: Inputs) -> tuple[Tensor, Tensor]:
    """Compute a layer's output, and the BN moments (2, 1, C) that were mixed, which have no gradient."""
    found: list[Tensor] = []
    addresses = plan.addresses_of_fitting(inputs)
    if torch.is_grad_enabled():
        y = _Eager.apply(*inputs[:6], (plan, inputs, addresses, found))
    else:
        y, kept = _forward(plan, inputs, addresses)
        found.append(kept)
    return y, Kept(found[0], *inputs.x.shape[:2]).batch


def _forward(plan: Plan, inputs: Inputs, addresses: bytes) -> tuple[Tensor, Tensor]:
    y, kept = plan.forward(inputs, addresses)
    if inputs.batches is not None:
        # Backends may write through pointers, and autograd is to notice if it has saved one of these.
        torch.autograd.graph.increment_version(inputs[6:])  # type: ignore[arg-type]
    return y, kept


class _Eager(torch.autograd.Function):
    # With a `setup_context` of its own, torch would inspect the signature in every call.
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        residual: Tensor | None,
        mean_mix: Tensor,
        var_mix: Tensor | None,
        weight: Tensor | None,
        bias: Tensor | None,
        how: tuple[Plan, Inputs, bytes, list[Tensor] | None],
    ) -> Tensor:
        # All of them once more in a tuple, which `apply` does not look into, with those that get no gradient.
        plan, inputs, addresses, found = how
        y, kept = _forward(plan, inputs, addresses)
        if found is not None:
            found.append(kept)
        ctx.save_for_backward(x, y if plan.keeps_output else None, weight, bias if plan.keeps_bias else None, kept)
        ctx.plan = plan
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        # Under `create_graph` a second derivative has to raise; otherwise the guard only costs time.
        return _backward_once(ctx, grad) if torch.is_grad_enabled() else _backward(ctx, grad)


def _backward(ctx: Any, grad: Tensor) -> Any:
    if grad.is_neg():
        grad = in_memory(grad)
    # Read once: activation checkpointing lets nobody read them again.
    return *ctx.plan.backward(grad, Saved._make(ctx.saved_tensors)), None


_backward_once = once_differentiable(_backward)
