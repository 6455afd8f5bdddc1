"""What a training says of itself before its first step and after its last one."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from switchseg.classes import Classes
from switchseg.data.dataset import Dataset
from switchseg.engine.environment import device_name, norm_backend
from switchseg.engine.monitor import Monitor
from switchseg.engine.training import Training
from switchseg.runs.directory import RunDirectory

_NAMES_WIDTH = 50


def opening(training: Training, run: RunDirectory, dataset: Dataset, validation: Dataset) -> Iterator[str]:
    """Yield lines that say what is trained, from what, on what, how long, and where it goes."""
    config, world, spec = training.config, training.world, training.model.spec
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in training.model.parameters()]
    total, trained = sum(size for size, _ in sizes), sum(size for size, grows in sizes if grows)
    ranks = f", {world.size} ranks" if world.size > 1 else ""
    frozen = "" if trained == total else f", {trained / 1e6:.1f} M of them trained"
    yield f"device   {device_name(world.device)}{ranks}, {config.train.precision}"
    yield f"model    {spec.encoder} + {spec.decoder}, {spec.norm}: {total / 1e6:.1f} M parameters{frozen}"
    yield f"weights  {_origin(training)}"
    if backend := norm_backend(training):
        yield f"norms    {backend}"
    yield f"classes  {_named(spec.classes)}"
    yield f"images   {len(dataset)} to train on, {len(validation)} to evaluate on ({config.data.evaluated_on})"
    yield f"length   {_length(training, len(dataset))}"
    yield f"output   {run.path}"


def closing(training: Training, run: RunDirectory, monitor: Monitor, evaluating: float) -> Iterator[str]:
    """Yield lines that say how long a training took and where its results are.

    Args:
        training: At its end.
        run: Where its model is.
        monitor: What measured it.
        evaluating: Seconds since the last step.
    """
    # Evaluations on the way count as steps here: only those of the end are told apart.
    stepping = monitor.seconds - evaluating
    waited = 100 * monitor.waited_seconds / max(stepping, 1e-9)
    steps = f"{_duration(stepping)} for the steps ({waited:.0f} % of it waiting for data)"
    yield f"time     {steps}, {_duration(evaluating)} to score"
    yield f"model    {run.model}"


def _origin(training: Training) -> str:
    if training.step:
        return f"of step {training.step}, from which this goes on"
    source = training.config.model.pretrained
    if source is None:
        return "random"
    return "encoder pretrained on ImageNet" if source == "imagenet" else str(source)


def _named(classes: Classes) -> str:
    """Return the number of classes, and as many of their names as fit."""
    names, width = [], 0
    for name in classes.names:
        width += len(name) + 2
        if width > _NAMES_WIDTH:
            names.append("...")
            break
        names.append(name)
    return f"{len(classes)}: {', '.join(names)}"


def _length(training: Training, images: int) -> str:
    seen = training.images_per_step
    return f"{training.steps} steps of {seen} images, {training.steps * seen / images:.4g} epochs"


def _duration(seconds: float) -> str:
    return str(datetime.timedelta(seconds=round(seconds)))
