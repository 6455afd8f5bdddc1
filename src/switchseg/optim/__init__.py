"""Parameter groups, optimizers and learning rate schedules. Importing it loads no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from switchseg.registry import Registry

if TYPE_CHECKING:
    import torch

    from switchseg.optim.config import OptimConfig

OPTIMIZERS: Registry[Callable[[list[dict[str, Any]], OptimConfig], torch.optim.Optimizer]] = Registry(
    "optimizer", {"sgd": "switchseg.optim.groups:sgd", "adamw": "switchseg.optim.groups:adamw"}
)
"""Name -> function of parameter groups, each with its rate and weight decay, and of the section `optim`."""

SCHEDULES: Registry[Callable[[OptimConfig, float], float]] = Registry(
    "schedule",
    {name: f"switchseg.optim.schedule:{name}" for name in ("poly", "cosine", "step", "constant")},
)
"""Name -> function of the section `optim` and of the share of the training that is done: the factor on every rate."""
