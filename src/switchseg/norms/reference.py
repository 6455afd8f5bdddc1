"""Switchable Normalization in plain torch: the specification that every faster path is checked against.

Shapes: N images, C channels, L positions of the map (1 for an input (N, C)), K statistics that are mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from switchseg.norms.statistics import MERGES

# (mean [C], var [C], elements per channel) of this process -> mean [C], var [C] of all of them
Combine = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]


def statistics_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type that statistics of a `dtype` input are computed in: float32, or float64 for float64."""
    return torch.promote_types(dtype, torch.float32)


def instance_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and unbiased variance (N, C) of every map of `x` (N, C, L); one element has variance 0."""
    elements = x.shape[2]
    # Not by torch's own correction, nor by Python's maximum: an exported program would keep the answer of the size that
    # it was traced with. TorchScript, which has no other sizes, knows Python's alone.
    largest: Any = max if torch.jit.is_tracing() else torch.sym_max  # type: ignore[attr-defined, no-untyped-call]
    var, mean = torch.var_mean(x, dim=2, correction=0)
    unbiased: Tensor = var * (elements / largest(elements - 1, 1))
    return mean, unbiased


def switch_norm(
    x: Tensor,
    mean_share: Tensor,
    var_share: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    statistics: Sequence[str] = ("in", "ln", "bn"),
    running: tuple[Tensor, Tensor] | None = None,
    eps: float = 1e-5,
    combine: Combine | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalize `x` (N, C) or (N, C, ...) with a mixture of its IN, LN and BN moments.

    Args:
        x: floating point, of any strides.
        mean_share: (K,) weights of the mixed means, in the order of `statistics`.
        var_share: (K,) weights of the mixed variances.
        weight: (C,) scale, or None.
        bias: (C,) offset, or None.
        statistics: the K names that are mixed, of "in", "ln" and "bn".
        running: (mean, var), each (C,), to use as BN moments instead of those of the batch.
        eps: added to the mixed variance, inside the root.
        combine: replaces the batch moments of this process with those of several.

    Returns:
        The output with the shape and type of `x`, and the batch moments (C,) that running statistics follow; they are
        empty where "bn" is not mixed or `running` is given.
    """
    dtype = statistics_dtype(x.dtype)
    values = x.to(dtype).flatten(2) if x.dim() > 2 else x.to(dtype).unsqueeze(2)
    mean_in, var_in = instance_moments(values)
    # 2018's layer for (N, C) has no maps to start from: its variances are unbiased over their own axis.
    correction = int(x.dim() == 2 and "in" not in statistics)
    of_batch = "bn" in statistics and running is None
    merged = [name for name in statistics if name != "bn" or of_batch]
    moments = {name: MERGES[name](mean_in, var_in, correction) for name in merged}
    mean_bn, var_bn = mean_in.new_empty(0), mean_in.new_empty(0)
    if of_batch:
        mean_bn, var_bn = (moment.view(-1) for moment in moments["bn"])
        if combine is not None:
            mean_bn, var_bn = combine(mean_bn, var_bn, x.numel() // x.shape[1])
        moments["bn"] = (mean_bn, var_bn)
    elif running is not None:
        moments["bn"] = (running[0].to(dtype), running[1].to(dtype))
    mean, var = mean_in.new_zeros(()), var_in.new_zeros(())
    for name, of_mean, of_var in zip(statistics, mean_share, var_share, strict=True):
        mean, var = mean + of_mean * moments[name][0], var + of_var * moments[name][1]
    mean, var = mean.expand_as(mean_in), var.expand_as(var_in)
    scale = torch.rsqrt(var + eps)
    if weight is not None:
        scale = scale * weight.to(dtype)
    output = (values - mean[..., None]) * scale[..., None]
    if bias is not None:
        output = output + bias.to(dtype)[:, None]
    return output.reshape(x.shape).to(x.dtype), mean_bn, var_bn
