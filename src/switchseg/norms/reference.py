"""Switchable Normalization in plain torch: the specification that every faster path is checked against.

Shapes: N images, C channels, L positions of the map (1 for an input (N, C)), K statistics that are mixed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce

import torch
from torch import Tensor

from switchseg.norms.statistics import MERGES

# (mean [C], var [C], elements per channel) of this process -> mean [C], var [C] of all of them
Combine = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]


def statistics_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type that statistics of a `dtype` input are computed in: float32, or float64 for float64."""
    return torch.promote_types(dtype, torch.float32)


def _as(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    # An exported program would keep a conversion that does nothing.
    return tensor if tensor.dtype == dtype else tensor.to(dtype)


def instance_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and unbiased variance (N, C) of every map of `x` (N, C, L); one element has variance 0."""
    elements = x.shape[2]
    # One less, but at least 1, as a formula: by torch's own correction or by a maximum, a program that is exported or
    # compiled keeps the answer of the size that it was traced with, or is refused.
    divisor = elements - 1 + 2 // (elements + 1)
    var, mean = torch.var_mean(x, dim=2, correction=0)
    unbiased: Tensor = var * (elements / divisor)
    return mean, unbiased


def switch_norm(
    x: Tensor,
    mean_share: Tensor | Sequence[float],
    var_share: Tensor | Sequence[float],
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
    values = _as(x, dtype).flatten(2) if x.dim() > 2 else _as(x, dtype).unsqueeze(2)
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
        moments["bn"] = (_as(running[0], dtype), _as(running[1], dtype))
    means = (share * moments[name][0] for name, share in zip(statistics, mean_share, strict=True))
    variances = (share * moments[name][1] for name, share in zip(statistics, var_share, strict=True))
    mean, var = reduce(operator.add, means).expand_as(mean_in), reduce(operator.add, variances).expand_as(var_in)
    scale = torch.rsqrt(var + eps)
    if weight is not None:
        scale = scale * _as(weight, dtype)
    output = (values - mean[..., None]) * scale[..., None]
    if bias is not None:
        output = output + _as(bias, dtype)[:, None]
    return _as(output.reshape(x.shape), x.dtype), mean_bn, var_bn
