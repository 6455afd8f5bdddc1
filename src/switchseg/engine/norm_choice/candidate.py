"""One short training with one norm: what its network scores, with which statistics, and what a step costs."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from switchseg.config.schema import RunConfig
from switchseg.data.dataset import Dataset
from switchseg.data.loader import build_loader
from switchseg.data.sample import Batch
from switchseg.distributed import World
from switchseg.engine.evaluate import evaluate
from switchseg.engine.mixtures import MIXING_LR_SCALE, PRETRAINED_SHARE
from switchseg.engine.step import network_input
from switchseg.engine.training import Training
from switchseg.engine.trial import trial
from switchseg.errors import UserError
from switchseg.losses.loss import resize_to
from switchseg.metrics import confusion_matrix, scores
from switchseg.norms import norm_shares


@dataclass(frozen=True)
class Result:
    """What one training came to."""

    norm: str
    seed: int
    mean_iou: float
    """Of the evaluation images, with running statistics where there are some, as every evaluation is."""
    pixel_accuracy: float
    by_statistics: dict[str, float]
    """mIoU of batches of the evaluation images with `running` statistics and with those of each `batch`; empty for a
    norm without running statistics."""
    seconds: float
    """The time that a tenth of the steps did not exceed, reading not included: other work of the machine only adds."""
    shares: dict[str, dict[str, dict[str, float]]]
    """What `norm_shares` says; empty for other norms than SN."""


def configured(config: RunConfig, norm: str, seed: int, steps: int) -> RunConfig:
    """Return the config of a training of `steps` steps with `norm`, as SN is recommended where it is SN."""
    model, optim, train = config.model, config.optim, config.train
    if norm == "sn":
        optim = replace(optim, mixing_lr_scale=max(optim.mixing_lr_scale, MIXING_LR_SCALE))
        if model.pretrained and model.norm_init in (None, "bn"):
            model = replace(model, norm_init=PRETRAINED_SHARE)
    return replace(
        config,
        model=replace(model, norm=norm),
        # Those of a long training would last longer than a short one, and an average would be that of its beginning.
        optim=replace(optim, warmup_steps=min(optim.warmup_steps, steps // 10)),
        train=replace(train, seed=seed, steps=steps, epochs=None, ema_decay=None),
    )


def settings_of(config: RunConfig) -> dict[str, Any]:
    """Return what `configured` has chosen besides the seed and the length of a training."""
    found: dict[str, Any] = {"model.norm": config.model.norm}
    if config.model.norm == "sn":
        found |= {"model.norm_init": config.model.norm_init, "optim.mixing_lr_scale": config.optim.mixing_lr_scale}
    return {name: value for name, value in found.items() if value is not None}


def train_candidate(
    config: RunConfig,
    dataset: Dataset,
    validation: Dataset,
    world: World,
    class_weights: Sequence[float] | None,
    count: Callable[[int], None],
) -> Result:
    """Train as `configured` says, with a weight of each class, and score the network; `count` is told of every step.

    Raises:
        UserError: the training failed; the line begins with its norm.
    """
    seconds = []
    try:
        with trial(config, dataset, world, class_weights) as (training, stepper, batches):
            for _ in range(training.steps):
                together = list(itertools.islice(batches, config.train.accumulate))
                began = time.perf_counter()
                stepper(together)
                training.guard.settle()
                seconds.append(time.perf_counter() - began)
                count(1)
            scored = evaluate(training.model, validation, config.evaluate.single_rule, quiet=True).scores
            return Result(
                norm=config.model.norm,
                seed=config.train.seed,
                mean_iou=scored.mean_iou,
                pixel_accuracy=scored.pixel_accuracy,
                by_statistics=_by_statistics(training, validation),
                seconds=sorted(seconds)[len(seconds) // 10],
                shares=norm_shares(training.model),
            )
    except UserError as error:
        raise UserError(f"model.norm {config.model.norm}: {error}") from error


def _by_statistics(training: Training, validation: Dataset) -> dict[str, float]:
    """Score the same batches with running statistics and with their own."""
    norms = [module for module in training.model.modules() if getattr(module, "running_mean", None) is not None]
    if not norms:
        return {}
    return {
        "running": _score(training, _batches(training, validation), ()),
        "batch": _score(training, _batches(training, validation), norms),
    }


@torch.no_grad()
def _score(training: Training, batches: Iterable[Batch], in_training: Iterable[torch.nn.Module]) -> float:
    model = training.model
    matrix = torch.zeros((model.spec.num_classes,) * 2, dtype=torch.int64)
    with statistics_of_batches(model, in_training):
        for batch in batches:
            batch = batch.to(training.world.device)
            logits = resize_to(model(network_input(training, batch)), batch.labels)
            matrix += confusion_matrix(logits.argmax(1), batch.labels, model.spec.num_classes).cpu()
    return scores(matrix.numpy(), model.spec.classes).mean_iou


@contextlib.contextmanager
def statistics_of_batches(model: torch.nn.Module, norms: Iterable[torch.nn.Module]) -> Iterator[None]:
    """Evaluate, but with `norms` in training mode; their running statistics are spoiled by that, and put back."""
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model.eval()
    for norm in norms:
        norm.train()
    yield
    model.eval()
    for name, buffer in model.named_buffers():
        buffer.copy_(before[name])


def _batches(training: Training, validation: Dataset) -> Iterator[Batch]:
    config = training.config
    images = config.train.images_per_device
    yield from build_loader(
        replace(config.data, workers=0),
        validation,
        images_per_rank=images,
        seed=config.train.seed,
        rank=0,
        world_size=1,
        start_step=0,
        steps=-(-len(validation) // images),
        stride=training.model.stride,
    )
