"""The names of the norms: one dictionary for configs, command lines and Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from switchseg.norms.modules import SwitchNorm, SwitchNorm1d, SwitchNorm2d, SwitchNorm3d
from switchseg.norms.operator.call import STATISTICS
from switchseg.norms.sparse import (
    SparseSwitchNorm1d,
    SparseSwitchNorm2d,
    SparseSwitchNorm3d,
    SyncSparseSwitchNorm1d,
    SyncSparseSwitchNorm2d,
    SyncSparseSwitchNorm3d,
)
from switchseg.norms.synced import SyncBatchNorm, SyncSwitchNorm1d, SyncSwitchNorm2d, SyncSwitchNorm3d

Factory = Callable[..., nn.Module]


class GroupNorm(nn.GroupNorm):
    """`nn.GroupNorm` that also takes 1x1 maps of one image: one value is its own mean, so the output is the bias."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalize each group of channels of each image of `x` (N, C, ...)."""
        return torch.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


def _group_norm(num_features: int, **options: Any) -> nn.Module:
    """Build GN with the 32 groups of its paper, or with the most that divide both 32 and `num_features`."""
    return GroupNorm(math.gcd(32, num_features), num_features, **options)


def _layer_norm(num_features: int, **options: Any) -> nn.Module:
    return GroupNorm(1, num_features, **options)


def _instance_norm(num_features: int, **options: Any) -> nn.Module:
    return GroupNorm(num_features, num_features, **options)


# name -> factory(num_features, *, device=None, dtype=None) of a layer for inputs (N, C, H, W)
NORMS: dict[str, Factory] = {
    "bn": nn.BatchNorm2d,
    "syncbn": SyncBatchNorm,
    "gn": _group_norm,
    "in": _instance_norm,
    "ln": _layer_norm,
    "sn": SwitchNorm2d,
    "sn_in_ln": partial(SwitchNorm2d, statistics=("in", "ln")),
    "syncsn": SyncSwitchNorm2d,
    "ssn": SparseSwitchNorm2d,
    "syncssn": SyncSparseSwitchNorm2d,
}


# The names whose layers differ for (N, C, L) and (N, C, D, H, W); the others take inputs of any dimensions.
_NORMS_1D: dict[str, Factory] = {
    "bn": nn.BatchNorm1d,
    "sn": SwitchNorm1d,
    "sn_in_ln": partial(SwitchNorm1d, statistics=("in", "ln")),
    "syncsn": SyncSwitchNorm1d,
    "ssn": SparseSwitchNorm1d,
    "syncssn": SyncSparseSwitchNorm1d,
}
_NORMS_3D: dict[str, Factory] = {
    "bn": nn.BatchNorm3d,
    "sn": SwitchNorm3d,
    "sn_in_ln": partial(SwitchNorm3d, statistics=("in", "ln")),
    "syncsn": SyncSwitchNorm3d,
    "ssn": SparseSwitchNorm3d,
    "syncssn": SyncSparseSwitchNorm3d,
}


def find_norm(name: str, dims: int = 2) -> Factory:
    """Return the factory called `name` of layers for maps with `dims` dimensions, `NORMS[name]` for 2.

    Raises:
        ValueError: there is no norm of that name.
    """
    if name not in NORMS:
        raise ValueError(f"unknown norm {name!r}; the norms are {', '.join(NORMS)}")
    return {1: _NORMS_1D, 2: NORMS, 3: _NORMS_3D}[dims].get(name, NORMS[name])


def norm_shares(model: nn.Module) -> dict[str, dict[str, dict[str, float]]]:
    """Return how much of each statistic every Switchable Normalization of `model` uses.

    The result is {layer name: {"mean": {"in": 0.3, "ln": 0.3, "bn": 0.4}, "var": {...}}}; statistics that a layer does
    not mix are 0.
    """
    result = {}
    for name, module in model.named_modules():
        if isinstance(module, SwitchNorm):
            statistics, shares = module.mixture()
            mean, var = (dict(zip(statistics, column, strict=True)) for column in shares.t().tolist())
            result[name] = {
                "mean": {statistic: mean.get(statistic, 0.0) for statistic in STATISTICS},
                "var": {statistic: var.get(statistic, 0.0) for statistic in STATISTICS},
            }
    return result
