"""Train one model: set-up, then the loop in the order of execution."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch

from switchseg.checkpoints import training_state
from switchseg.checkpoints.start import start_model
from switchseg.config import yaml
from switchseg.config.schema import RunConfig
from switchseg.data.dataset import Dataset
from switchseg.data.sample import Batch
from switchseg.data.workers import dead_workers_named
from switchseg.distributed import joined_world
from switchseg.engine import interrupt
from switchseg.engine.class_weights import class_weights, keep_class_weights
from switchseg.engine.data_checks import readable, require_two_classes
from switchseg.engine.finish import evaluate_and_keep_best, finish
from switchseg.engine.interrupt import StopRequest, stop_on_signals
from switchseg.engine.monitor import Monitor
from switchseg.engine.setup import batches_from, open_training, open_validation, restore, with_steps
from switchseg.engine.single_values import obstacle
from switchseg.engine.step import Stepper
from switchseg.engine.streams import own_stream
from switchseg.engine.summary import opening
from switchseg.engine.training import Training
from switchseg.errors import UserError
from switchseg.recorders import require_installed
from switchseg.runs.directory import RunDirectory


def train(config: RunConfig, out: Path, resume: str = "auto") -> int:
    """Train as `config` says into the run directory `out`, evaluate, and return the exit code.

    Resume policy:
    1. `auto` goes on from the last complete checkpoint of `out`, or starts where there is none.
    2. `never` starts at step 0, in a directory without checkpoints.
    3. A path goes on from that checkpoint.
    In all cases settings that would make it another training are refused.

    To be called from the main thread: SIGINT and SIGTERM are handled while it runs.

    Returns:
        0 when the run is complete, `interrupt.EXIT_CODE` when a signal stopped it; the same command then goes on.

    Raises:
        UserError: the config, the data, the checkpoint or the directory does not allow it, or the loss is not finite.
    """
    run = RunDirectory(out)
    with contextlib.ExitStack() as stack:
        world = stack.enter_context(joined_world(config.train.device, config.train.timeout))
        # Not before: a rank that waits for others has nothing to save.
        stop = stack.enter_context(stop_on_signals())
        if world.is_main:
            run.check_same_run(config)
            require_installed(config.train.recorders)
        say = print if world.is_main else _silent
        dataset = open_training(config.data)
        config = with_steps(config, len(dataset), world.size)
        # Any rank: others may not see the first one's disk, and all must leave together.
        if resume == "auto" and world.any(run.is_complete(config.train.steps)):
            say(f"{out}: complete after {config.train.steps} steps; pass another --out to train again")
            return 0
        # Before the first tensor: work on another stream would have to be waited for.
        stack.enter_context(own_stream(world.device))
        if config.train.threads:
            torch.set_num_threads(config.train.threads)
        require_two_classes(dataset)
        validation = open_validation(config.data, say)
        torch.manual_seed(config.train.seed)
        model = start_model(config.model, dataset.classes, say)
        if reason := obstacle(config, world.size):
            raise UserError(reason)
        if world.is_main:
            stack.enter_context(run.locked())

        def prepare() -> tuple[Sequence[float] | None, Training, bool, Dataset]:
            weights = class_weights(config, dataset, run, world, say)
            training = Training.start(config, world, model, weights)
            resumed = restore(training, run, resume)
            # A broken file ends the run now, not after its training.
            return weights, training, resumed, readable(validation, dataset, config.data, world)

        # All labels may be read, and nothing is written that a stop would leave half done.
        prepared = stop.at_once(prepare, world.size)
        if prepared is None:
            say(f"stopped by {stop.signal_name} before a step was taken; the same command goes on")
            return interrupt.EXIT_CODE
        weights, training, resumed, validation = prepared
        # Closed with the run: worker processes outlive a generator that nobody closes.
        batches = stack.enter_context(contextlib.closing(batches_from(training, dataset)))
        # Nothing is written before: what is refused leaves no directory.
        if world.is_main:
            yaml.save(run.config, config)
            if weights is not None and config.loss.class_weights == "auto":
                keep_class_weights(weights, dataset.classes.names, run)
        monitor = stack.enter_context(Monitor(run, training, resumed, images=len(dataset)))
        for line in opening(training, run, dataset, validation):
            monitor.say(line)
        # PyTorch tells of a worker's death wherever the step is.
        stack.enter_context(dead_workers_named())
        if run_steps(training, batches, run, monitor, stop, validation):
            return interrupt.EXIT_CODE
        return _finish_unless_stopped(training, run, monitor, stop, validation)


def _silent(line: str) -> None:
    """Say nothing: the first rank has said it."""


def run_steps(
    training: Training,
    batches: Iterator[Batch],
    run: RunDirectory,
    monitor: Monitor,
    stop: StopRequest,
    validation: Dataset,
) -> bool:
    """Run the steps that are left; return whether a signal ended them early, with a checkpoint of where it was."""
    config = training.config.train
    training.set_training_mode()
    train_step = Stepper(training, wish_to_stop=lambda: stop.made)
    while training.evaluation_due or not training.is_over:
        # Due already where a signal has ended it: the run goes on with that.
        if not training.evaluation_due:
            began = time.perf_counter()
            accumulated = list(itertools.islice(batches, config.accumulate))
            monitor.waited(time.perf_counter() - began)

            train_step(accumulated)
            monitor.step_done()
            training.evaluation_due = training.wants_evaluation

        if training.evaluation_due:
            evaluate_and_keep_best(training, run, monitor, validation, stop)
            training.set_training_mode()

        # A signal may reach the ranks at different steps: they must agree, or one waits for others that have left. What
        # they agree on comes with the loss, for asking the others would wait for the device in every step.
        stopping = training.guard.asked_to_stop if training.world.size > 1 else stop.made
        if stopping or training.is_over or training.step % config.checkpoint_every == 0:
            save(training, run, monitor)
        if stopping:
            break
    # Stopped or not: after the last step it is the scoring that a signal stops.
    if training.is_over:
        return False
    signal = stop.signal_name or "a signal to another rank"
    where = "before the evaluation after" if training.evaluation_due else "after"
    monitor.say(f"stopped by {signal} {where} step {training.step}; the same command goes on from there")
    return True


def _finish_unless_stopped(
    training: Training, run: RunDirectory, monitor: Monitor, stop: StopRequest, validation: Dataset
) -> int:
    """Score the trained model, and return the exit code. Every rank must call it."""

    def score_model() -> bool:
        finish(training, run, monitor, validation)
        return True

    # Asked for in the last step, of some ranks perhaps: scoring is nothing that a stop should wait for.
    if not training.world.any(stop.made) and stop.at_once(score_model):
        return 0
    signal = stop.signal_name or "a signal to another rank"
    monitor.say(f"stopped by {signal} before the trained model was scored; the same command scores it")
    return interrupt.EXIT_CODE


def save(training: Training, run: RunDirectory, monitor: Monitor) -> None:
    """Write a checkpoint of the current step. Every rank must call it.

    Raises:
        UserError: the last loss or a parameter is not finite, so that this state is not worth keeping, or the disk is
            full.
    """
    training.guard.settle()
    # A finite loss may still have an update that is not: without this, the last good checkpoint would be replaced.
    names, parameters = zip(*training.model.named_parameters(), strict=True)
    # Stacked, so that the device is waited for once.
    finite = torch.stack([torch.isfinite(parameter).all() for parameter in parameters]).tolist()
    if not all(finite):
        raise UserError(
            f"step {training.step}: the parameter {names[finite.index(False)]} is not finite, so no checkpoint was "
            f"written and the last one stays; try a lower optim.lr_encoder and optim.lr_decoder, or train.clip_norm"
        )
    state = training.state_dict()
    if training.world.is_main:
        # The record first: after a crash it may be longer than the checkpoint, never shorter.
        monitor.event("checkpoint", file=f"step_{training.step}.pt")
        monitor.sync()
        training_state.save(run.checkpoints, state, training.step, training.config.train.keep_checkpoints)
    training.world.barrier()
