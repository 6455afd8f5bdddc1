"""The statistics that a layer can mix: a table, so that one more is one entry.

Every statistic is a function of the moments of the maps: `merge(mean, var, correction)` takes the mean and the unbiased
variance (N, C) of every map and returns a mean and a variance that broadcast to (N, C). `correction` is what variances
between maps are corrected by: 1 for 2018's unbiased ones of inputs without maps, else 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from switchseg.norms.operator.call import STATISTICS

Merge = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]


def _instance(mean: Tensor, var: Tensor, correction: int) -> tuple[Tensor, Tensor]:
    return mean, var


def _layer(mean: Tensor, var: Tensor, correction: int) -> tuple[Tensor, Tensor]:
    return merge_moments(mean, var, 1, correction)


def _batch(mean: Tensor, var: Tensor, correction: int) -> tuple[Tensor, Tensor]:
    return merge_moments(mean, var, 0, correction)


def merge_moments(mean: Tensor, var: Tensor, dim: int, correction: int = 0) -> tuple[Tensor, Tensor]:
    """Merge the moments of equally large maps along `dim`, which stays with size 1.

    The merged variance is that within the maps plus that between their means.
    """
    # A single map has no variance between maps: unbiased it would be 0 / 0.
    between, merged = torch.var_mean(mean, dim=dim, keepdim=True, correction=min(correction, mean.shape[dim] - 1))
    return merged, var.mean(dim, keepdim=True) + between


# In the order in which layers name them. Backends know the first three; a layer that mixes others is for the formula.
MERGES: dict[str, Merge] = {"in": _instance, "ln": _layer, "bn": _batch}
assert tuple(MERGES)[: len(STATISTICS)] == STATISTICS


def check_statistics(names: Sequence[str]) -> tuple[str, ...]:
    """Return `names` as a tuple.

    Raises:
        ValueError: there are none, or one is unknown or out of order.
    """
    if not names or tuple(name for name in MERGES if name in names) != tuple(names):
        raise ValueError(f"statistics must be some of {tuple(MERGES)}, in that order, got {tuple(names)}")
    return tuple(names)
