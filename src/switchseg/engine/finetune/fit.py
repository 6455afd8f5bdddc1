"""Fitting the length of a training to the time that is given for all of it."""

from __future__ import annotations

from switchseg.config.schema import RunConfig
from switchseg.engine.finetune.choose import EVALUATIONS
from switchseg.engine.finetune.probe import Speed
from switchseg.errors import UserError

SLACK = 0.95
"""The part of the time left that is planned for: a machine is not always as fast as it was."""
REPORT_SECONDS = 5.0
FEWEST_STEPS = 20
"""Fewer teach a network nothing."""
_CALIBRATION = 0.5
"""The part of a step's time that a batch of the calibration takes: a forward pass, and reading the batch."""


def steps_in(seconds: float, spent: float, speed: Speed, config: RunConfig, validation_images: int) -> int:
    """Return how many optimizer steps fit into `seconds`, beside all that a run does besides.

    Args:
        seconds: From the start of the program to the report.
        spent: What of them has passed.
        speed: What the parts take.
        config: Says how many batches are calibrated with.
        validation_images: How many each evaluation labels.

    Raises:
        UserError: hardly any do; says how many minutes are needed.
    """
    besides = seconds_for(0, speed, config, validation_images)
    # The slack is on the steps alone: the rest cannot be shortened.
    steps = int(SLACK * (seconds - spent - besides) / speed.step)
    if steps < FEWEST_STEPS:
        needed = (spent + besides + FEWEST_STEPS * speed.step / SLACK) / 60
        raise UserError(
            f"--minutes {seconds / 60:g}: less than {FEWEST_STEPS} steps of {speed.step:.1f} s would be left, for "
            f"looking at the data and evaluating take {(spent + besides) / 60:.1f}; {needed:.1f} or more were expected"
        )
    return steps


def seconds_for(steps: int, speed: Speed, config: RunConfig, validation_images: int) -> float:
    """Return how long a training of so many steps takes, evaluations, calibration and report included."""
    # Those on the way, the scores at the end, and before and after a calibration.
    evaluations = EVALUATIONS + 1 + 2 * bool(config.train.calibrate)
    # Calibration counts batches, of which a step has `accumulate`.
    calibration = config.train.calibrate * _CALIBRATION / config.train.accumulate
    return (
        speed.start
        + REPORT_SECONDS
        + evaluations * validation_images * speed.image
        + (steps + calibration) * speed.step
    )
