"""Switchable Normalization as an exported file computes it: one formula for maps of every size, 1x1 included."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from switchseg.norms import SwitchNorm


class PlainSwitchNorm(nn.Module):
    """A layer in evaluation mode, with its shares as numbers.

    The layer itself looks at the size of a map to tell how its variance is to be unbiased. Tracing would freeze the
    answer for the size that it is traced with, and divide by zero at another one.
    """

    def __init__(self, norm: SwitchNorm) -> None:
        super().__init__()
        statistics, shares = norm.mixture()
        self.statistics, self.eps, self.activation = statistics, norm.eps, norm.activation
        self.shares = nn.Buffer(shares.detach().float())
        self.weight, self.bias = _constant(norm.weight), _constant(norm.bias)
        self.running_mean, self.running_var = _constant(norm.running_mean), _constant(norm.running_var)

    def forward(self, x: Tensor) -> Tensor:
        """Normalize `x` [N, C], [N, C, L] or [N, C, H, W]."""
        inner = (1,) * (x.dim() - 2)
        elements = math.prod(x.shape[2:])
        maps = x if inner else x[..., None]
        var, mean = torch.var_mean(maps, dim=tuple(range(2, maps.dim())), correction=0)
        correction: Any = elements / torch.sym_max(elements - 1, 1)
        unbiased: Tensor = var * correction
        between, middle = torch.var_mean(mean, dim=1, correction=0, keepdim=True)
        moments = {
            "in": (mean, unbiased),
            "ln": (middle, unbiased.mean(1, keepdim=True) + between),
            "bn": (self.running_mean, self.running_var),
        }
        mixed_mean, mixed_var = torch.zeros_like(mean), torch.zeros_like(mean)
        for (of_mean, of_var), name in zip(self.shares, self.statistics, strict=True):
            own_mean, own_var = moments[name]
            mixed_mean, mixed_var = mixed_mean + of_mean * own_mean, mixed_var + of_var * own_var
        scale = torch.rsqrt(mixed_var + self.eps)
        if self.weight is not None:
            scale = scale * self.weight
        y = (x - mixed_mean.reshape(*mean.shape, *inner)) * scale.reshape(*mean.shape, *inner)
        if self.bias is not None:
            y = y + self.bias.reshape(-1, *inner)
        return torch.relu(y) if self.activation == "relu" else y


def _constant(value: Tensor | None) -> Tensor | None:
    return None if value is None else nn.Buffer(value.detach().float())


def with_plain_norms(model: nn.Module) -> None:
    """Put a `PlainSwitchNorm` in the place of every Switchable Normalization of `model`."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, SwitchNorm):
                setattr(module, name, PlainSwitchNorm(child))
