"""Batches and small trainings for the tests of a step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from switchseg.classes import Classes
from switchseg.config.schema import RunConfig, TrainConfig
from switchseg.data.sample import Batch
from switchseg.distributed import World
from switchseg.engine.guard import Guard
from switchseg.engine.step import Stepper
from switchseg.engine.training import Training
from switchseg.labels import IGNORED
from switchseg.losses.config import LossConfig
from switchseg.models.create import create_model
from switchseg.norms import MIXING, NORMS, SwitchNorm
from switchseg.optim.config import OptimConfig
from switchseg.optim.groups import build_optimizer
from switchseg.optim.schedule import build_scheduler

WORLD = World(rank=0, size=1, device=torch.device("cpu"))


def make_batch(seed: int = 0, labelled: float = 0.8, images: int = 2, side: int = 32) -> Batch:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, (images, side // 8, side // 8))
    labels[generator.random(labels.shape) > labelled] = IGNORED
    return Batch(
        images=torch.from_numpy(generator.integers(0, 256, (images, 3, side, side), dtype=np.uint8)),
        labels=torch.from_numpy(labels),
        sizes=torch.tensor([[side, side]] * images),
        names=tuple(f"image_{i}" for i in range(images)),
    )


def make_training(
    norm: str = "sn",
    decoder: str = "c1_deepsup",
    average: str = "pixels",
    optimizer: str = "sgd",
    encoder: str = "resnet18_dilated8",
    dropout: float = 0.0,
    lr: float = 1e-3,
    world: World = WORLD,
    loss: LossConfig | None = None,
    class_weights: Sequence[float] | None = None,
    **train,
) -> Training:
    torch.manual_seed(0)
    model = create_model(encoder, decoder, norm, classes=Classes.unnamed(3))
    if dropout:
        model.decoder.classify = torch.nn.Sequential(torch.nn.Dropout2d(dropout), model.decoder.classify)
    config = RunConfig(
        train=TrainConfig(steps=10, precision=train.pop("precision", "fp64"), **train),
        loss=loss or LossConfig(average=average),
        optim=OptimConfig(name=optimizer, lr_encoder=lr, lr_decoder=lr),
    )
    training = Training.start(config, world, model, class_weights)
    training.set_training_mode()
    return training


def decide_on_device(training: Training) -> Training:
    """Give a training on the CPU the optimizer and the guard of one on a GPU."""
    config = training.config
    training.optimizer = build_optimizer(training.model, config.optim, MIXING, on_device=True)
    training.scheduler = build_scheduler(training.optimizer, config.optim, config.train.steps)
    training.guard = Guard(training.optimizer, training.world.device, on_device=True)
    return training


def gradients(training: Training) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in training.model.named_parameters() if p.grad is not None}


def small_training(**settings) -> Training:
    training = decide_on_device(make_training(encoder="test_resnet_dilated8", **settings))
    for module in training.model.modules():
        if isinstance(module, SwitchNorm):
            module.backend = "reference"
    return training


def options(row: int) -> dict:
    """Return one of eight sets of options, in which any two options meet in all four ways (an orthogonal array)."""
    a, b, c = row & 1, row >> 1 & 1, row >> 2
    return {
        "optimizer": ("sgd", "adamw")[a],
        "precision": ("fp32", "bf16")[b],
        "accumulate": 1 + c,
        "clip_norm": (None, 0.05)[a ^ b],
        "ema_decay": (None, 0.9)[a ^ c],
        "dropout": (0.0, 0.3)[b ^ c],
        "average": ("pixels", "devices")[a ^ b ^ c],
    }


CASES = [("sn", row) for row in range(8)] + [(norm, index % 8) for index, norm in enumerate(NORMS) if norm != "sn"]
SIDES = (32, 32, 48, 32, 48, 48, 32)
"""Of the images of one step after another: with two shapes, the graphs take turns."""


def batches_of(training: Training, step: int, side: int = 32) -> list:
    accumulate = training.config.train.accumulate
    batches = [make_batch(accumulate * step + i, side=side) for i in range(accumulate)]
    return [batch.pin_memory() for batch in batches] if training.world.device.type == "cuda" else batches


def advance(training: Training, stepper: Stepper, sides=SIDES) -> None:
    for side in sides:
        stepper(batches_of(training, training.step, side))
    training.guard.settle()


def state_of(training: Training) -> dict:
    return {kind: [tensor.clone() for tensor in tensors] for kind, tensors in training.changing().items()}
