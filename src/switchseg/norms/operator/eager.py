"""The operator under autograd, without the dispatcher, which costs more than small maps do."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from switchseg.norms.operator.call import Backend, Inputs, Kept, Options, Saved, what_a_relu_keeps


def run(backend: Backend, inputs: Inputs, options: Options) -> Tensor:
    """Compute a layer's output, differentiable once; a count among the inputs moves the running statistics."""
    if torch.is_grad_enabled():
        return _Eager.apply(*inputs[:6], (inputs, options, backend, None))  # type: ignore[no-any-return]
    return _forward(backend, inputs, options)[0]


def run_with_batch(backend: Backend, inputs: Inputs, options: Options) -> tuple[Tensor, Tensor]:
    """Compute a layer's output, and the BN moments (2, 1, C) that were mixed, which have no gradient."""
    found: list[Tensor] = []
    if torch.is_grad_enabled():
        y = _Eager.apply(*inputs[:6], (inputs, options, backend, found))
    else:
        y, kept = _forward(backend, inputs, options)
        found.append(kept)
    return y, Kept(found[0], *inputs.x.shape[:2]).batch


def _forward(backend: Backend, inputs: Inputs, options: Options) -> tuple[Tensor, Tensor]:
    y, kept = backend.forward(inputs, options)
    if inputs.batches is not None:
        # Backends may write through pointers, and autograd is to notice if it has saved one of these.
        torch.autograd.graph.increment_version([inputs.running_mean, inputs.running_var, inputs.batches])  # type: ignore[list-item]
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
        how: tuple[Inputs, Options, Backend, list[Tensor] | None],
    ) -> Tensor:
        # All of them once more in a tuple, which `apply` does not look into, with those that get no gradient.
        inputs, options, backend, found = how
        y, kept = _forward(backend, inputs, options)
        if found is not None:
            found.append(kept)
        keeps_output, keeps_bias = what_a_relu_keeps(backend, options.relu, residual is not None)
        ctx.save_for_backward(x, y if keeps_output else None, weight, bias if keeps_bias else None, kept)
        ctx.how = backend, options, residual is not None, bias is not None
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        # Under `create_graph` a second derivative has to raise; otherwise the guard only costs time.
        return _backward_once(ctx, grad) if torch.is_grad_enabled() else _backward(ctx, grad)


def _backward(ctx: Any, grad: Tensor) -> Any:
    backend, options, with_residual, with_bias = ctx.how
    # Read once: activation checkpointing lets nobody read them again.
    x, y, weight, bias, kept = ctx.saved_tensors
    saved = Saved(x, y, weight, bias, kept, with_residual, with_bias)
    saved.check_unchanged(grad)
    return *backend.backward(grad, saved, options), None


_backward_once = once_differentiable(_backward)
