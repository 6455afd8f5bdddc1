"""torch's own norms, for maps of any number of dimensions."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn


class BatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d` for (N, C) and (N, C, ...) with any number of dimensions."""

    def _check_input_dim(self, x: Tensor) -> None:
        if x.dim() < 2:
            raise ValueError(
                f"{type(self).__name__} takes inputs with 2 or more dimensions, got shape {tuple(x.shape)}"
            )


class GroupNorm(nn.GroupNorm):
    """`nn.GroupNorm` that also takes 1x1 maps of one image: one value is its own mean, so the output is the bias."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each group of channels of each image of `x` (N, C, ...)."""
        # Not by `F.group_norm`, which refuses inputs with one value in a group.
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


def group_norm(num_features: int, **options: Any) -> nn.Module:
    """Build GN with the 32 groups of its paper, or with the most that divide both 32 and `num_features`."""
    return GroupNorm(math.gcd(32, num_features), num_features, **options)


def layer_norm(num_features: int, **options: Any) -> nn.Module:
    """Build LN of whole images: GN with one group."""
    return GroupNorm(1, num_features, **options)


def instance_norm(num_features: int, **options: Any) -> nn.Module:
    """Build IN: GN with a group for every channel."""
    return GroupNorm(num_features, num_features, **options)
