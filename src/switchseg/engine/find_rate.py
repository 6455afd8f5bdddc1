"""A learning rate for a training: the loss of a few steps at rates that rise from far too low to far too high."""

from __future__ import annotations

import contextlib
import copy
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from switchseg.checkpoints.start import start_model
from switchseg.config.schema import RunConfig
from switchseg.data.sample import Batch
from switchseg.data.workers import dead_workers_named
from switchseg.distributed import joined_world
from switchseg.engine.class_weights import class_weights
from switchseg.engine.progress import progress
from switchseg.engine.setup import batches_from, open_training
from switchseg.engine.single_values import obstacle
from switchseg.engine.step import Stepper
from switchseg.engine.streams import own_stream
from switchseg.engine.training import Training
from switchseg.errors import UserError
from switchseg.optim.config import OptimConfig

_SMOOTHING = 0.9
_TOO_HIGH = 4.0
"""The sweep ends where the smoothed loss is this many times the lowest one so far."""
_FEWEST = 8
"""Steps that must come before the lowest loss: a slope over fewer of them says nothing."""


@dataclass(frozen=True)
class Sweep:
    """Losses at rising rates."""

    rates: tuple[float, ...]
    """Of the larger of `optim.lr_encoder` and `optim.lr_decoder`; the other one keeps its share of it."""
    losses: tuple[float, ...]
    """The loss of the step at each rate."""

    @property
    def smoothed(self) -> tuple[float, ...]:
        """The exponential moving average of the losses, without the bias that it has from beginning at 0."""
        mean, means = 0.0, []
        for index, loss in enumerate(self.losses, start=1):
            mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
            # The mean begins at 0, which pulls its first values down as in Adam; the divisor takes that out.
            means.append(mean / (1 - _SMOOTHING**index))
        return tuple(means)

    @property
    def suggestion(self) -> float | None:
        """The rate at which the smoothed loss falls most steeply before its lowest point; None if it hardly falls."""
        losses = self.smoothed
        lowest = losses.index(min(losses))
        if lowest < _FEWEST:
            return None
        # Central differences: the slope at a rate, not between it and the next. Rates are evenly spaced in their
        # logarithm, so that differences of losses are slopes over it.
        falls = [losses[index - 1] - losses[index + 1] for index in range(1, lowest)]
        return self.rates[1 + falls.index(max(falls))]


def find_rate(config: RunConfig, steps: int, lowest: float, highest: float) -> Sweep:
    """Train a fresh model of `config` for at most `steps` steps from the rate `lowest` to `highest`; nothing is kept.

    Raises:
        UserError: the config or the data does not allow it, or rates of `config` are all 0.
    """
    _larger_rate(config.optim)  # before the work that it would make useless
    config = replace(config, train=replace(config.train, steps=steps, epochs=None))
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(joined_world(config.train.device, config.train.timeout))
        stack.enter_context(own_stream(world.device))
        if config.train.threads:
            torch.set_num_threads(config.train.threads)
        dataset = open_training(config.data)
        torch.manual_seed(config.train.seed)
        say = print if world.is_main else lambda line: None
        model = start_model(config.model, dataset.classes, say)
        # Before the weights: counting them reads all labels.
        if reason := obstacle(config, world.size):
            raise UserError(reason)
        training = Training.start(config, world, model, class_weights(config, dataset, None, world, say))
        batches = stack.enter_context(contextlib.closing(batches_from(training, dataset)))
        stack.enter_context(dead_workers_named())
        return sweep_rates(training, batches, exponential(lowest, highest, steps))


def exponential(lowest: float, highest: float, count: int) -> list[float]:
    """Return `count` rates from `lowest` to `highest`, each the same multiple of the one before."""
    return [lowest * (highest / lowest) ** (index / (count - 1)) for index in range(count)]


def sweep_rates(training: Training, batches: Iterator[Batch], rates: Sequence[float]) -> Sweep:
    """Take one step at each rate until the loss explodes, then put everything back: weights, statistics, optimizer.

    Args:
        training: What is stepped, wherever it is.
        batches: `train.accumulate` for each rate.
        rates: As `Sweep.rates`, rising.

    Raises:
        UserError: the rates of the config are all 0.
    """
    unit = _larger_rate(training.config.optim)
    # A state dict shares memory with what it was taken from, and the steps change that in place.
    before = copy.deepcopy(training.state_dict())
    training.set_training_mode()
    stepper, losses, lowest = Stepper(training), list[float](), math.inf
    try:
        with progress("find-rate", len(rates), "steps", shown=training.world.is_main) as count:
            for rate in rates:
                training.set_rates(rate / unit)
                losses.append(_loss_of_step(training, stepper, batches))
                count(1)
                smoothed = Sweep(tuple(rates[: len(losses)]), tuple(losses)).smoothed[-1]
                lowest = min(lowest, smoothed)
                if not smoothed < _TOO_HIGH * lowest:  # nor if it is not a number
                    break
    finally:
        # It is no part of the state: left at 1 it would keep the optimizer from ever updating again.
        training.guard.stopped.zero_()
        training.load_state_dict(before)
    # Only the last one can be otherwise, for the sweep ends there; the rates are cut to match.
    found = [loss for loss in losses if math.isfinite(loss)]
    if not found:
        raise UserError(f"the loss is not finite at the rate {rates[0]:.2g}; a lower --lowest was expected")
    return Sweep(tuple(rates[: len(found)]), tuple(found))


def _larger_rate(optim: OptimConfig) -> float:
    if not (rate := max(optim.lr_encoder, optim.lr_decoder)):
        raise UserError(
            "optim.lr_encoder and optim.lr_decoder are 0; one above 0 was expected, and their ratio is kept"
        )
    return rate


def _loss_of_step(training: Training, stepper: Stepper, batches: Iterator[Batch]) -> float:
    try:
        stepper(list(itertools.islice(batches, training.config.train.accumulate)))
        # Here, or the guard would tell of this loss in the step after it.
        training.guard.settle()
    except UserError:  # the guard's, for a loss that is not finite
        if math.isfinite(training.guard.loss.item()):
            raise
    return training.guard.loss.item()
