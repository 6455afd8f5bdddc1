"""Batch moments over the processes of a group, weighted by the elements that each of them saw."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from switchseg.norms.reference import statistics_dtype


def world_size(group: dist.ProcessGroup | None = None) -> int:
    """Return how many processes share statistics: 1 without `torch.distributed`."""
    return dist.get_world_size(group) if dist.is_available() and dist.is_initialized() else 1


class _CombinedMoments(torch.autograd.Function):
    """Moments of the union, from the mean, the variance and the element count of every process."""

    @staticmethod
    def forward(ctx: Any, mean: Tensor, var: Tensor, elements: int, group: dist.ProcessGroup | None) -> Any:
        own = torch.cat([mean, var, mean.new_tensor([elements])])
        everyone = [torch.empty_like(own) for _ in range(world_size(group))]
        dist.all_gather(everyone, own, group=group)
        rows = torch.stack(everyone)  # [ranks, 2 C + 1]
        total = rows[:, -1].sum()
        part = rows[:, -1:] / total
        means, variances = rows[:, :-1].chunk(2, dim=1)
        total_mean = (part * means).sum(0)
        # Deviations from the common mean, not E[x^2] - E[x]^2, which cancels.
        total_var = (part * (variances + (means - total_mean).square())).sum(0)
        ctx.group = group
        ctx.save_for_backward(elements / total, mean - total_mean)
        ctx.mark_non_differentiable(total)
        return total_mean, total_var, total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_mean: Tensor, grad_var: Tensor, _: Tensor) -> Any:
        part, deviation = ctx.saved_tensors
        grads = torch.stack([grad_mean, grad_var])
        # Every process's loss depends on the common moments.
        dist.all_reduce(grads, group=ctx.group)
        grad_mean, grad_var = grads.unbind()
        return part * (grad_mean + 2 * deviation * grad_var), part * grad_var, None, None


def combine_moments(
    mean: Tensor, var: Tensor, elements: int, group: dist.ProcessGroup | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the moments (C,) over all processes of `group` and their elements per channel, given this process's.

    Differentiable: a gradient reaches the inputs of every process. Alone, it returns what it was given.
    """
    if world_size(group) == 1:
        return mean, var, mean.new_tensor(elements)
    return _CombinedMoments.apply(mean, var, elements, group)  # type: ignore[no-any-return]


class SyncBatchNorm(nn.SyncBatchNorm):
    """`nn.SyncBatchNorm` that also synchronises on the CPU, where torch's refuses; alone it is a plain BatchNorm."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize `x` (N, C, ...) with the moments of all processes, or with the running ones in evaluation."""
        if not self.training or x.device.type != "cpu" or world_size(self.process_group) == 1:
            return super().forward(x)
        self._check_input_dim(x)
        values = x.to(statistics_dtype(x.dtype)).transpose(0, 1).flatten(1)  # [C, elements]
        var, mean = torch.var_mean(values, dim=1, correction=0)
        mean, var, total = combine_moments(mean, var, values.shape[1], self.process_group)
        self._track(mean.detach(), var.detach() * total / (total - 1))
        scale = torch.rsqrt(var + self.eps)
        if self.affine:
            scale = scale * self.weight
        shape = (-1, *[1] * (x.dim() - 2))
        y = (x - mean.view(shape)) * scale.view(shape)
        if self.affine:
            y = y + self.bias.view(shape)
        return y.to(x.dtype)

    def _track(self, mean: Tensor, var: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        share = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(var.to(self.running_var.dtype), share)
