"""Learning rate schedules as factors on the base rate, pure functions of the step."""

from __future__ import annotations

import math

import torch

from switchseg.optim.config import OptimConfig


def rate_factor(config: OptimConfig, step: int, steps: int) -> float:
    """Return the factor on every base rate in `step` (from 0) of a training of `steps` steps."""
    if step < config.warmup_steps:
        return (step + 1) / (config.warmup_steps + 1) * _decay(config, 0.0)
    return _decay(config, min(step / steps, 1.0))


def _decay(config: OptimConfig, progress: float) -> float:
    if config.schedule == "poly":
        return float((1.0 - progress) ** config.poly_power)
    if config.schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * progress))
    if config.schedule == "step":
        return float(0.1 ** sum(progress >= milestone for milestone in config.step_milestones))
    return 1.0


def build_scheduler(
    optimizer: torch.optim.Optimizer, config: OptimConfig, steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return the scheduler that holds the rate of the coming step: call its `step()` after the optimizer's.

    The 2018 code set the rate after the step that it was meant for, and trained the first step after a resume at the
    full rate; here the rate is in place before its step, and resuming restores it with the scheduler's state.
    """
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(config, step, steps))
