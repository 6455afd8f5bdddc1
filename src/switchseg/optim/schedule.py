"""Learning rate schedules as factors on the base rate, pure functions of the step."""

from __future__ import annotations

import math

import torch

from switchseg.optim import SCHEDULES
from switchseg.optim.config import OptimConfig


def rate_factor(config: OptimConfig, step: int, steps: int) -> float:
    """Return the factor on every base rate in `step` (from 0) of a training of `steps` steps."""
    if step < config.warmup_steps:
        # Neither 0 in the first step, which would teach nothing, nor the full rate before the warm-up is over.
        return (step + 1) / (config.warmup_steps + 1) * SCHEDULES[config.schedule](config, 0.0)
    # Clipped: past the end, the power of a negative number would be complex.
    return SCHEDULES[config.schedule](config, min(step / steps, 1.0))


def poly(config: OptimConfig, progress: float) -> float:
    """Fall to 0 as a power of the part of the training that is left."""
    return float((1.0 - progress) ** config.poly_power)


def cosine(config: OptimConfig, progress: float) -> float:
    """Fall to 0 by half a cosine."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def step(config: OptimConfig, progress: float) -> float:
    """Fall to a tenth at every milestone."""
    return float(0.1 ** sum(progress >= milestone for milestone in config.step_milestones))


def constant(config: OptimConfig, progress: float) -> float:
    """Stay as it is."""
    return 1.0


def build_scheduler(
    optimizer: torch.optim.Optimizer, config: OptimConfig, steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    """Return the scheduler that holds the rate of the coming step: call its `step()` after the optimizer's.

    The 2018 code set the rate after the step that it was meant for, and trained the first step after a resume at the
    full rate; here the rate is in place before its step, and resuming restores it with the scheduler's state.
    """
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(config, step, steps))
