"""Batch moments over the processes of a group, weighted by the elements that each of them saw."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import once_differentiable

# An operator takes numbers, strings and tensors: groups travel by name, "" for a process that is alone.
_GROUPS: dict[str, dist.ProcessGroup] = {}


def name_group(group: dist.ProcessGroup | None = None) -> str:
    """Return the name that the functions below know `group` by (None: all processes); "" if nobody else is in it."""
    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size(group) == 1:
        return ""
    group = dist.group.WORLD if group is None else group
    assert group is not None
    # Set every time: a group that comes after a destroyed one may have the same name.
    _GROUPS[group.group_name] = group
    return group.group_name


def gather_moments(moments: Tensor, elements: int, group: str) -> tuple[Tensor, Tensor]:
    """Merge the means and variances of this process with those of the others, each weighted by its elements.

    Args:
        moments: (2, C) or (2, 1, C), the means and the variances.
        elements: how many values per channel they are of in this process.
        group: a name from `name_group`, not "".

    Returns:
        The moments of all values, of the shape of `moments`, and how many values per channel there are (a tensor).
    """
    # Gathered and not reduced: variances need the common mean first, which would take a second round.
    own = torch.cat([moments.flatten(), moments.new_full((1,), elements)])
    everyone = [torch.empty_like(own) for _ in range(dist.get_world_size(_GROUPS[group]))]
    dist.all_gather(everyone, own, group=_GROUPS[group])
    rows = torch.stack(everyone)  # [ranks, 2 C + 1]
    total = rows[:, -1].sum()
    part = rows[:, -1:] / total
    means, variances = rows[:, :-1].chunk(2, dim=1)
    mean = (part * means).sum(0)
    # Deviations from the common mean, not E[x^2] - E[x]^2, which cancels.
    var = (part * (variances + (means - mean).square())).sum(0)
    return torch.stack([mean, var]).view_as(moments), total


def gather_gradient(grad: Tensor, elements: int, group: str) -> Tensor:
    """Return this process's part of the gradient of the common moments: every process's loss depends on them.

    Args:
        grad: of this process's loss with respect to the common moments, in their shape.
        elements: as in `gather_moments`.
        group: as in `gather_moments`.
    """
    summed = torch.cat([grad.flatten(), grad.new_full((1,), elements)])
    # The counts are summed up again: what the operator keeps for backward has no room for the total.
    dist.all_reduce(summed, group=_GROUPS[group])
    return summed[:-1].view_as(grad) * (elements / summed[-1])


class _Combined(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, moments: Tensor, elements: int, group: str) -> Any:
        merged, total = gather_moments(moments, elements, group)
        ctx.elements, ctx.group = elements, group
        ctx.save_for_backward(moments[0] - merged[0])
        ctx.mark_non_differentiable(total)
        return merged, total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> Any:
        (deviation,) = ctx.saved_tensors
        # The common variance also holds the spread of the means, so a gradient of it reaches them.
        grad_mean, grad_var = gather_gradient(grad, ctx.elements, ctx.group)
        return torch.stack([grad_mean + 2 * deviation * grad_var, grad_var]), None, None


def combine_moments(mean: Tensor, var: Tensor, elements: int, group: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mean and variance (C,) over all processes of `group`, and their number of elements per channel.

    Differentiable: a gradient reaches the inputs of every process. Alone, it returns what it was given.
    """
    if not group:
        return mean, var, mean.new_full((), elements)
    merged, total = _Combined.apply(torch.stack([mean, var]), elements, group)
    return merged[0], merged[1], total
