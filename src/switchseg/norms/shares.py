"""What the Switchable Normalizations of a model mix."""

from __future__ import annotations

from torch import nn

from switchseg.norms.modules import SwitchNorm
from switchseg.norms.reference import STATISTICS


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
