"""The norms whose batch moments are those of all processes of a group."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from switchseg.norms.collective import combine_moments, name_group
from switchseg.norms.modules import SwitchNorm, SwitchNorm1d, SwitchNorm2d, SwitchNorm3d
from switchseg.norms.plain import BatchNorm
from switchseg.norms.reference import statistics_dtype


class SyncMixin(SwitchNorm):
    """Shares batch moments in training, each process weighted by its elements; alone it changes nothing.

    Outputs, input gradients and running statistics equal those of one process on the whole batch, also where images
    differ in number and size. Gradients of the parameters stay local: `DistributedDataParallel` averages them.

    Args:
        num_features: channels C of the input (N, C, ...); hosts such as MONAI ask for an argument of this name.
        *arguments: the others of `SwitchNorm`.
        process_group: who shares, None for everybody.
        **options: the others of `SwitchNorm`.
    """

    def __init__(
        self, num_features: int, *arguments: Any, process_group: dist.ProcessGroup | None = None, **options: Any
    ) -> None:
        super().__init__(num_features, *arguments, **options)
        self.process_group = process_group

    def _group(self) -> str:
        # In evaluation nobody waits: processes may have different numbers of batches then.
        return name_group(self.process_group) if self.training else ""


class SyncSwitchNorm1d(SyncMixin, SwitchNorm1d):
    """`SwitchNorm1d` with the batch moments of all processes; see `SyncMixin`."""


class SyncSwitchNorm2d(SyncMixin, SwitchNorm2d):
    """`SwitchNorm2d` with the batch moments of all processes; see `SyncMixin`."""


class SyncSwitchNorm3d(SyncMixin, SwitchNorm3d):
    """`SwitchNorm3d` with the batch moments of all processes; see `SyncMixin`."""


class SyncBatchNorm(BatchNorm):
    """BatchNorm of any inputs with the moments of all processes, on any device; alone it is a plain BatchNorm.

    Not a subclass of `nn.SyncBatchNorm`: that one refuses CPU tensors, and DDP refuses it in a model on the CPU.

    Args:
        num_features: channels C of the input (N, C, ...).
        process_group: who shares, None for everybody.
        **options: those of `nn.BatchNorm2d`.
    """

    def __init__(self, num_features: int, *, process_group: dist.ProcessGroup | None = None, **options: Any) -> None:
        super().__init__(num_features, **options)
        self.process_group = process_group

    def forward(self, x: Tensor) -> Tensor:
        """Normalize `x` (N, C, ...) with the moments of all processes, or with the running ones in evaluation.

        Raises:
            ValueError: `x` has fewer than 2 dimensions, or no elements while moments are shared.
        """
        group = name_group(self.process_group) if self.training else ""
        if not group:
            return super().forward(x)
        self._check_input_dim(x)
        # Moments of nothing would be no numbers, in every process.
        if not x.numel():
            raise ValueError(f"{type(self).__name__} needs at least one element per channel, got {tuple(x.shape)}")
        values = x.to(statistics_dtype(x.dtype)).transpose(0, 1).flatten(1)  # [C, elements]
        var, mean = torch.var_mean(values, dim=1, correction=0)
        mean, var, total = combine_moments(mean, var, values.shape[1], group)
        # Unbiased in the running statistics and biased in the output, as in torch's BatchNorm.
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
        # Without a momentum this waits for the device, as torch's BatchNorm does.
        share = 1 / self.num_batches_tracked.item() if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(var.to(self.running_var.dtype), share)
