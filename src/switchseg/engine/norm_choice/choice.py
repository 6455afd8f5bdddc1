"""Short trainings with each of four norms, side by side, and the choice among them."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from switchseg.config.schema import RunConfig
from switchseg.data.composed import Subset
from switchseg.data.dataset import Dataset
from switchseg.distributed import joined_world
from switchseg.engine.class_weights import class_weights
from switchseg.engine.data_checks import readable, require_two_classes
from switchseg.engine.finetune.probe import Speed, measure_speed
from switchseg.engine.norm_choice.candidate import Result, configured, settings_of, train_candidate
from switchseg.engine.norm_choice.verdict import Verdict, decide
from switchseg.engine.progress import progress
from switchseg.engine.setup import open_training, open_validation
from switchseg.engine.single_values import obstacle
from switchseg.errors import UserError
from switchseg.models.create import create_model
from switchseg.norms import SwitchNorm

CANDIDATES = ("bn", "gn", "in", "sn")
SEEDS = (304, 305, 306)
FEWEST_STEPS = 20
"""Of a training that says something; BN's running statistics alone need as many."""
MOST_IMAGES = 64
"""Of the evaluation split that are scored."""


@dataclass(frozen=True)
class Choice:
    """A norm, and all that speaks for it and against the others."""

    settings: dict[str, Any]
    """Those of a config that the choice stands for, as they were tried."""
    verdict: Verdict
    results: tuple[Result, ...]
    """Of every training, seed by seed."""
    shares: dict[str, dict[str, float]]
    """What SN came to mix in each part of the network, over its layers, means and variances, and seeds."""
    impossible: dict[str, str]
    """Norms that cannot be trained on such batches, and why."""
    steps: int
    """Of each training."""
    images_per_device: int
    images_scored: int
    seconds: float
    """All of it."""

    @property
    def norms(self) -> list[str]:
        """Those that were trained."""
        return list(dict.fromkeys(result.norm for result in self.results))

    def of(self, norm: str) -> list[Result]:
        """Return the results of a norm."""
        return [result for result in self.results if result.norm == norm]

    def cost(self, norm: str) -> float:
        """Return the time of a step in seconds: that of the training that was disturbed least."""
        return min(result.seconds for result in self.of(norm))

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain values; scores as fractions."""
        costs = {norm: self.cost(norm) for norm in self.norms}
        return {"seconds_per_step": costs, **asdict(self)}


def choose_norm(
    config: RunConfig,
    *,
    minutes: float = 10.0,
    steps: int | None = None,
    seeds: Sequence[int] = SEEDS,
    say: Callable[[str], None] = print,
) -> Choice:
    """Train a network of `config` for a short time with each of `CANDIDATES` and each seed, and choose.

    Args:
        config: Of the training that is planned. Its norm and its length play no part, its number of images per device
            does.
        minutes: About how long all of it may take, which decides the number of steps.
        steps: Optimizer steps of each training, whatever time they take.
        seeds: Two or more.
        say: Is told what is being done.

    Raises:
        UserError: The data or the config do not allow a training, or too few steps fit into the time.
    """
    began, seeds = time.monotonic(), tuple(dict.fromkeys(seeds))
    _refuse(config, seeds)
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    with joined_world(config.train.device, config.train.timeout) as world:
        dataset, validation = open_training(config.data), open_validation(config.data)
        require_two_classes(dataset)
        validation = readable(_some(validation), dataset, config.data, world)
        weights = class_weights(config, dataset, None, world, say)
        norms, impossible = _possible(config)
        trainings = len(norms) * len(seeds)
        if steps is None:
            speed = measure_speed(configured(config, "sn", seeds[0], FEWEST_STEPS), dataset, validation, world)
            left = minutes - (time.monotonic() - began) / 60
            steps = min(
                fitting_steps(speed, trainings, len(validation), left), config.train.total_steps(len(dataset), 1)
            )
        images = config.train.images_per_device
        say(f"{trainings} trainings of {steps} steps, {images} images a device: {', '.join(norms)}")
        with progress("probe", trainings * steps, "steps") as count:
            results = tuple(
                train_candidate(configured(config, norm, seed, steps), dataset, validation, world, weights, count)
                for seed in seeds
                for norm in norms
            )
    scores = {norm: [result.mean_iou for result in results if result.norm == norm] for norm in norms}
    shares = shares_by_depth([result.shares for result in results if result.norm == "sn"])
    # The first part is where the network begins: parts of the encoder that have no such norm are left out.
    verdict = decide(scores, next(iter(shares.values())), images)
    settings, seconds = settings_of(configured(config, verdict.norm, seeds[0], steps)), time.monotonic() - began
    return Choice(settings, verdict, results, shares, impossible, steps, images, len(validation), seconds)


def shares_by_depth(networks: Sequence[Mapping[str, Mapping[str, Mapping[str, float]]]]) -> dict[str, dict[str, float]]:
    """Return the mean shares of the encoder's four quarters of layers, of the decoder and of all layers.

    Args:
        networks: What `norm_shares` says of networks that differ in their weights alone.
    """
    names = [name for name in networks[0] if not name.startswith("auxiliary")]
    encoder = [name for name in names if name.startswith("encoder")]
    bounds = [len(encoder) * quarter // 4 for quarter in range(5)]
    parts = {f"encoder {n + 1}/4": encoder[bounds[n] : bounds[n + 1]] for n in range(4)}
    parts |= {"decoder": [name for name in names if name.startswith("decoder")], "all": names}
    return {
        part: _mean([shares[name] for shares in networks for name in inside])
        for part, inside in parts.items()
        if inside
    }


def _mean(layers: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    columns = [column for layer in layers for column in layer.values()]
    return {name: statistics.fmean(column[name] for column in columns) for name in columns[0]}


def _refuse(config: RunConfig, seeds: Sequence[int]) -> None:
    if len(seeds) < 2:
        raise UserError("seeds: two or more were expected; what one differs by may be chance")
    if config.train.freeze_norms:
        raise UserError("train.freeze_norms: frozen norms leave nothing to choose; set it to false for a probe")
    start = config.model.pretrained
    if start is not None and Path(start).is_dir():
        raise UserError(
            f"model.pretrained {start}: a whole model has norms already; weights of an encoder were expected"
        )
    network = config.model
    with torch.device("meta"):
        require_norms(create_model(network.encoder, network.decoder, "sn", 2))


def require_norms(model: nn.Module) -> None:
    """Raise a UserError unless a network that was made with `sn` has some; decoders of plugins need not."""
    if not any(isinstance(module, SwitchNorm) for module in model.modules()):
        raise UserError("model: this network has no norm that could be another one")


def _possible(config: RunConfig) -> tuple[list[str], dict[str, str]]:
    """Return which candidates can be trained on such batches, and of the others why not."""
    reasons = {norm: obstacle(configured(config, norm, config.train.seed, 1)) for norm in CANDIDATES}
    impossible = {norm: reason for norm, reason in reasons.items() if reason}
    return [norm for norm in CANDIDATES if norm not in impossible], impossible


def _some(dataset: Dataset) -> Dataset:
    """Return images from all over a data set, as many as are scored."""
    count = min(len(dataset), MOST_IMAGES)
    return Subset(dataset, [index * len(dataset) // count for index in range(count)])


def fitting_steps(speed: Speed, trainings: int, images: int, minutes: float) -> int:
    """Return how many steps each of `trainings` may have, if each scores `images` at its end.

    Raises:
        UserError: they are too few to tell anything.
    """
    # Scored once as every evaluation does, and twice in batches.
    around = speed.start + 3 * images * speed.image
    steps = int((60 * minutes / trainings - around) / speed.step)
    if steps < FEWEST_STEPS:
        needed = trainings * (around + FEWEST_STEPS * speed.step) / 60
        raise UserError(
            f"--minutes: less than {FEWEST_STEPS} steps for each of {trainings} trainings fit into the time; at least "
            f"{math.ceil(needed + 1)} minutes were expected here"
        )
    return steps
