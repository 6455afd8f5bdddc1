"""Switchable Normalization as a function: by the reference formula, or by a backend of the operator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from switchseg.norms import reference, torch_private
from switchseg.norms.collective import combine_moments
from switchseg.norms.operator import boundary, eager
from switchseg.norms.operator.backends import Choice, choose, find_plan
from switchseg.norms.operator.call import STATISTICS, Inputs, Options
from switchseg.norms.operator.layout import dense
from switchseg.norms.operator.mixing import shares_of
from switchseg.norms.operator.tracking import move
from switchseg.norms.reference import statistics_dtype
from switchseg.norms.statistics import check_statistics

ACTIVATIONS = (None, "relu")


def resolve_backend(x: Tensor, statistics: Sequence[str] = STATISTICS, backend: str = "auto") -> Choice:
    """Return what a call with `x` runs, "reference" or the name of a backend of the operator, and why.

    Raises:
        ValueError: `backend` is unknown, or cannot take `x`.
    """
    return choose(x, tuple(statistics), backend, torch.compiler.is_compiling())


def switch_norm(
    x: Tensor,
    shares: Tensor | tuple[Tensor, Tensor],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    statistics: Sequence[str] = STATISTICS,
    running: Tensor | None = None,
    residual: Tensor | None = None,
    activation: str | None = None,
    eps: float = 1e-5,
    group: str = "",
    backend: str = "auto",
) -> tuple[Tensor, Tensor]:
    """Normalize `x` (N, C) or (N, C, ...) with a mixture of its IN, LN and BN moments.

    Args:
        x: floating point, of any strides.
        shares: (K, 2), how much of each of `statistics` goes into the mean and into the variance; or two logits (K,)
            whose softmaxes that is.
        weight: (C,) scale, or None.
        bias: (C,) offset, or None.
        statistics: K of "in", "ln" and "bn", in that order.
        running: (2, C) mean and variance to use as BN moments, or None for those of the batch.
        residual: added to the normalized values before the activation, or None.
        activation: None or "relu".
        eps: added to the mixed variance, inside the root.
        group: processes that share batch moments, a name from `collective.name_group`.
        backend: "auto", "reference", "native", "aten" or "cuda"; see `resolve_backend`. All but the reference can be
            differentiated once.

    Returns:
        The output with the shape, type and memory format of `x`, and the BN moments (2, C) that were used, without
        gradient; those are empty if "bn" is not mixed.

    Raises:
        ValueError: an argument is of another shape, type or name than these, or `x` has no elements.
    """
    check_activation(activation)
    if x.dim() < 2 or not x.numel():
        raise ValueError(f"(N, C, ...) with at least one element per channel is needed, got shape {tuple(x.shape)}")
    if not x.is_floating_point():
        raise ValueError(f"a floating point type is needed, got {x.dtype}")
    mean_mix, var_mix = (shares, None) if isinstance(shares, Tensor) else shares
    moments = (None, None) if running is None else (running[0], running[1])
    inputs = Inputs(x, residual, mean_mix, var_mix, weight, bias, *moments)
    # Given moments need no other process, and the others may not be making this call; nor do maps' own moments.
    group = "" if running is not None or "bn" not in statistics else group
    options = Options(
        check_statistics(statistics),
        eps,
        None,
        activation == "relu",
        running is None,
        not isinstance(shares, Tensor),
        group,
    )
    y, batch = with_batch(inputs, options, choose(x, options.statistics, backend, torch.compiler.is_compiling()))
    # Without "bn" nothing has written that part of what backends keep.
    return y, batch if "bn" in statistics else batch.new_empty(2, 0)


def check_activation(activation: str | None) -> None:
    """Raise ValueError if `activation` is none of `ACTIVATIONS`."""
    if activation not in ACTIVATIONS:
        raise ValueError(f"unknown activation {activation!r}; it may be one of {ACTIVATIONS}")


def layer(inputs: Inputs, options: Options, backend: str) -> Tensor:
    """Return the output of a layer; with a count among `inputs` its running statistics follow the batch.

    A backend does all of it in one call each way if the tensors are as it takes them.
    """
    x, residual, *_ = inputs
    compiling = torch.compiler.is_compiling()
    # Where others share the moments, and under a compiler, which has to see that buffers change, `move` does it.
    if not (compiling or options.group or torch_private.is_followed()) and type(x) is Tensor and not x.is_neg():
        plan = find_plan(inputs, options, backend)
        addresses = None if plan is None or (residual is not None and residual.is_neg()) else plan.addresses(inputs)
        # For the maps alone: to copy what lies otherwise costs less than to take the running statistics apart.
        if plan is not None and addresses is None and residual is not None:
            inputs = inputs.laid_out()
            addresses = plan.addresses(inputs)
        if plan is not None and addresses is not None:
            return eager.run(plan, inputs, addresses)
    choice = choose(x, options.statistics, backend, compiling)
    y, batch = with_batch(inputs._replace(batches=None), options, choice)
    move(inputs, options, batch)
    return y


def with_batch(inputs: Inputs, options: Options, choice: Choice) -> tuple[Tensor, Tensor]:
    """Return the output of a layer and the BN moments (2, C) that were mixed; running statistics stay as they are."""
    inputs.check_shapes(options.statistics)
    if choice.backend == "reference":
        return _by_formula(inputs, options)
    inputs = _as_backends_take(inputs)
    # Subclasses (fake tensors among them) are for the dispatcher, and so is what a compiler traces.
    if torch.compiler.is_compiling() or type(inputs.x) is not Tensor:
        y, batch = boundary.run(choice.backend, inputs, options)
    else:
        inputs = inputs.laid_out()
        plan = find_plan(inputs, options, choice.backend)
        assert plan is not None
        y, batch = eager.run_with_batch(plan, inputs)
    return y, batch.view(2, -1)


def _as_backends_take(inputs: Inputs) -> Inputs:
    """Return `inputs` with dense maps, and all else in the type of the statistics; autograd follows."""
    dtype = statistics_dtype(inputs.x.dtype)
    # Backends see memory, not tensors: here autograd carries the gradients back to the types that were given.
    few = [None if each is None else each.to(dtype).contiguous() for each in inputs[2:8]]
    return Inputs(dense(inputs.x), inputs.residual, *few)  # type: ignore[arg-type]


def _by_formula(inputs: Inputs, options: Options) -> tuple[Tensor, Tensor]:
    x, residual, mean_mix, var_mix, weight, bias, running_mean, running_var, _ = inputs
    dtype = statistics_dtype(x.dtype)
    shares = shares_of(mean_mix.to(dtype), None if var_mix is None else var_mix.to(dtype))
    running = None
    if not options.training and running_mean is not None and running_var is not None:
        running = running_mean, running_var

    def combine(mean: Tensor, var: Tensor, elements: int) -> tuple[Tensor, Tensor]:
        return combine_moments(mean, var, elements, options.group)[:2]

    y, mean, var = reference.switch_norm(
        x,
        shares[:, 0],
        shares[:, 1],
        weight,
        bias,
        statistics=options.statistics,
        running=running,
        eps=options.eps,
        combine=combine if options.group else None,
    )
    if residual is not None:
        y = (y + residual).to(x.dtype)
    if options.relu:
        y = torch.relu(y)
    return y, torch.stack([mean, var]).detach() if running is None else torch.stack(running)
