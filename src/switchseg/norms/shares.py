"""What the Switchable Normalizations of a model mix."""

from __future__ import annotations

from torch import nn

from switchseg.norms.modules import SwitchNorm
from switchseg.norms.operator.call import STATISTICS


def norm_shares(model: nn.Module) -> dict[str, dict[str, dict[str, float]]]:
    """Return how much of each statistic every Switchable Normalization of `model` uses.

    The result is {layer name: {"mean": {"in": 0.3, "ln": 0.3, "bn": 0.4}, "var": {...}}}; those of the three that a
    layer does not mix are 0. Waits for the device.
    """
    result = {}
    for name, module in model.named_modules():
        if isinstance(module, SwitchNorm):
            statistics, shares = module.mixture()
            mean, var = (dict(zip(statistics, column, strict=True)) for column in shares.t().tolist())
            unused = dict.fromkeys(STATISTICS, 0.0)
            result[name] = {"mean": unused | mean, "var": unused | var}
    return result
