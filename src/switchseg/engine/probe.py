"""Which norm do these data want: a short training with Switchable Normalization, and what it has come to mix."""

from __future__ import annotations

import contextlib
import copy
import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from switchseg.checkpoints.start import start_model
from switchseg.config.schema import RunConfig
from switchseg.data.loader import build_loader
from switchseg.data.sample import Batch
from switchseg.distributed import World, joined_world
from switchseg.engine.data_checks import require_two_classes
from switchseg.engine.setup import batches_from, open_training, open_validation
from switchseg.engine.single_values import obstacle
from switchseg.engine.step import Stepper
from switchseg.engine.training import Training
from switchseg.models.segmenter import Segmenter
from switchseg.norms import SwitchNorm, norm_shares

NORMS = ("bn", "gn", "in", "sn")
MIXING_LR_SCALE = 100.0
"""At the ordinary rate the mixing weights hardly move in a training as short as this."""

MAJORITY = 0.5
"""A statistic with this share of the moments, over all layers, is what the data want; below it is the mixture."""
TOLERABLE = 0.05
"""How much pixel accuracy running statistics may cost against those of the batch before BN is out of the question."""

_EVALUATED, _TIMED = 8, 5  # batches
_NORM_OF = {"in": "in", "ln": "gn", "bn": "bn"}
_WHY = {
    "in": "the moments of each channel of each image: images differ in style",
    "ln": "the moments that an image's channels have in common, which GN takes in groups",
    "bn": "the moments of the batch: images are alike, and the batch is large enough to measure them",
}


@dataclass(frozen=True)
class Probe:
    """What a probe has found."""

    norm: str
    """The one of `NORMS` to take."""
    reason: str
    shares: dict[str, float]
    """IN's, LN's and BN's share of the moments, over means, variances and layers."""
    layers: dict[str, dict[str, dict[str, float]]]
    """What `norm_shares` returned."""
    accuracy: dict[str, float]
    """Pixel accuracy on the evaluation split with `running` statistics and with those of each `batch`."""
    costs: dict[str, float | None]
    """Seconds a step by norm, None for one that cannot be trained with so few images."""
    steps: int
    images_per_device: int

    def to_json(self) -> dict[str, Any]:
        """Return all of it."""
        return asdict(self)


def probe(
    config: RunConfig, *, steps: int = 200, minutes: float | None = None, say: Callable[[str], object] = print
) -> Probe:
    """Train `config` for a short time with SN and say which norm its data want at its batch size.

    Args:
        config: of the training that is planned; its norm and its length play no part.
        steps: optimizer steps; the schedule is that of a training of this length.
        minutes: end the training earlier, after this time.
        say: is told what is being done.

    Raises:
        UserError: the data or the config do not allow a training.
    """
    config = replace(
        config,
        model=replace(config.model, norm="sn", norm_init="uniform", pretrained=_encoder_weights(config)),
        optim=replace(config.optim, mixing_lr_scale=MIXING_LR_SCALE),
        train=replace(config.train, steps=steps),
    )
    dataset, validation = open_training(config.data), open_validation(config.data)
    require_two_classes(dataset)
    with joined_world(config.train.device) as world:
        say(f"{steps} steps of SN with {config.train.images_per_device} images")
        training, first = _trained(config, world, dataset, minutes)
        accuracy = _accuracies(training.model, _batches(config, validation, training.model.stride), world.device)
        say(f"time of a step with {', '.join(NORMS)}")
        costs = {norm: _seconds(config, norm, world, dataset.classes, first) for norm in NORMS}
    layers = norm_shares(training.model)
    shares = mean_shares(layers)
    norm, reason = choose(shares, accuracy, costs)
    return Probe(norm, reason, shares, layers, accuracy, costs, training.step, config.train.images_per_device)


def choose(
    shares: Mapping[str, float], accuracy: Mapping[str, float], costs: Mapping[str, float | None]
) -> tuple[str, str]:
    """Return the norm that fits what was found, and why; the arguments are those of `Probe`."""
    statistic = max(shares, key=lambda name: shares[name])
    share, lost = shares[statistic], accuracy["batch"] - accuracy["running"]
    if share < MAJORITY:
        return "sn", f"no statistic has a majority: {', '.join(f'{n.upper()} {s:.0%}' for n, s in shares.items())}"
    if statistic == "bn" and costs["bn"] is None:
        return "sn", f"BN has {share:.0%} of the moments, but cannot be trained with so few images"
    if statistic == "bn" and lost > TOLERABLE:
        return "sn", (
            f"BN has {share:.0%} of the moments, but running statistics lose {lost:.1%} of the pixels against those of "
            "the batch, which is too small to measure them"
        )
    return _NORM_OF[statistic], f"{statistic.upper()} has {share:.0%} of the moments: {_WHY[statistic]}"


def mean_shares(layers: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """Return the share of every statistic over the means and variances of all layers."""
    columns = [column for layer in layers.values() for column in layer.values()]
    return {name: sum(column[name] for column in columns) / len(columns) for name in columns[0]}


def _trained(config: RunConfig, world: World, dataset: Any, minutes: float | None) -> tuple[Training, Batch]:
    """Return a training that is over, and its first batch."""
    torch.manual_seed(config.train.seed)
    training = Training.start(config, world, start_model(config.model, dataset.classes, _silent))
    training.set_training_mode()
    step, first, end = Stepper(training), None, time.monotonic() + 60 * (minutes or float("inf"))
    with contextlib.closing(batches_from(training, dataset)) as batches:
        while not training.is_over and (first is None or time.monotonic() < end):
            accumulated = list(itertools.islice(batches, config.train.accumulate))
            first = first or accumulated[0]
            step(accumulated)
    training.guard.settle()
    assert first is not None
    return training, first


def _batches(config: RunConfig, dataset: Any, stride: int) -> Iterable[Batch]:
    return build_loader(
        config.data,
        dataset,
        images_per_rank=config.train.images_per_device,
        seed=config.train.seed,
        rank=0,
        world_size=1,
        start_step=0,
        steps=_EVALUATED,
        stride=stride,
    )


@torch.no_grad()
def _accuracies(model: Segmenter, batches: Iterable[Batch], device: torch.device) -> dict[str, float]:
    """Return the pixel accuracy with running statistics, and with those of each batch."""
    running = copy.deepcopy(model).eval()
    of_batch = copy.deepcopy(running)
    for module in of_batch.modules():
        if isinstance(module, SwitchNorm):
            module.train()
    right = {"running": 0, "batch": 0}
    labelled = 0
    for batch in batches:
        images = batch.normalized(model.spec.preprocessing).to(device)
        labels = batch.labels.to(device)
        valid = labels < model.spec.num_classes
        labelled += int(valid.sum())
        for name, network in (("running", running), ("batch", of_batch)):
            right[name] += int(((network(images).argmax(1) == labels) & valid).sum())
    return {name: count / max(labelled, 1) for name, count in right.items()}


def _seconds(config: RunConfig, norm: str, world: World, classes: Any, batch: Batch) -> float | None:
    """Return the time of the fastest of some steps with a norm; None if it would see single values."""
    config = replace(config, model=replace(config.model, norm=norm, pretrained=None))
    if obstacle(config) is not None:
        return None
    training = Training.start(config, world, start_model(config.model, classes, _silent))
    training.set_training_mode()
    step = Stepper(training)
    fastest = float("inf")
    for _ in range(_TIMED):
        began = time.perf_counter()
        step([batch] * config.train.accumulate)
        training.guard.settle()
        fastest = min(fastest, time.perf_counter() - began)
    return fastest


def _encoder_weights(config: RunConfig) -> str | None:
    """Return the weights that a mixture can start from evenly: those of a whole model come with norms of their own."""
    start = config.model.pretrained
    return None if start is not None and Path(start).is_dir() else start


def _silent(line: str) -> None:
    """Say nothing."""
