"""Switchable Normalization in plain torch: the specification that every faster path is checked against.

Shapes: N images, C channels, L positions of the map (1 for an input (N, C)), K statistics that are mixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

STATISTICS = ("in", "ln", "bn")

# (mean [C], var [C], elements per channel) of this process -> mean [C], var [C] of all of them
Combine = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]


def statistics_dtype(dtype: torch.dtype) -> torch.dtype:
    """Return the type that statistics of a `dtype` input are computed in: float32, or float64 for float64."""
    return torch.promote_types(dtype, torch.float32)


def instance_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and unbiased variance (N, C) of every map of `x` (N, C, L); one element has variance 0."""
    var, mean = torch.var_mean(x, dim=2, correction=min(1, x.shape[2] - 1))
    return mean, var


def switch_norm(
    x: Tensor,
    mean_share: Tensor,
    var_share: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    statistics: Sequence[str] = STATISTICS,
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
        The output with the shape and type of `x`, and the batch moments (C,) that running statistics follow.
    """
    dtype = statistics_dtype(x.dtype)
    values = x.to(dtype).flatten(2) if x.dim() > 2 else x.to(dtype).unsqueeze(2)
    mean_in, var_in = instance_moments(values)
    # 2018's layer for (N, C) has no maps to start from: its variances are unbiased over their own axis.
    correction = int(x.dim() == 2 and "in" not in statistics)
    mean_ln, var_ln = _over(mean_in, var_in, 1, correction)
    mean_bn, var_bn = _over(mean_in, var_in, 0, correction)
    if combine is not None:
        mean_bn, var_bn = combine(mean_bn, var_bn, x.numel() // x.shape[1])
    used_mean, used_var = (mean_bn, var_bn) if running is None else (moment.to(dtype) for moment in running)
    means = {"in": mean_in, "ln": mean_ln[:, None], "bn": used_mean}
    variances = {"in": var_in, "ln": var_ln[:, None], "bn": used_var}
    mean = sum((share * means[name] for share, name in zip(mean_share, statistics, strict=True)), mean_in.new_zeros(()))
    var = sum(
        (share * variances[name] for share, name in zip(var_share, statistics, strict=True)), var_in.new_zeros(())
    )
    scale = torch.rsqrt(var + eps)
    if weight is not None:
        scale = scale * weight.to(dtype)
    output = (values - mean[..., None]) * scale[..., None]
    if bias is not None:
        output = output + bias.to(dtype)[:, None]
    return output.reshape(x.shape).to(x.dtype), mean_bn, var_bn


def _over(mean: Tensor, var: Tensor, dim: int, correction: int) -> tuple[Tensor, Tensor]:
    """Merge the moments (N, C) of equally large maps along `dim`: within-map variance plus that of the means."""
    between, merged = torch.var_mean(mean, dim=dim, correction=min(correction, mean.shape[dim] - 1))
    return merged, var.mean(dim) + between
