"""Batches and small trainings for the tests of a step."""

from __future__ import annotations

import numpy as np
import torch

from switchseg.config.schema import RunConfig, TrainConfig
from switchseg.data.classes import Classes
from switchseg.data.sample import Batch
from switchseg.distributed import World
from switchseg.engine.guard import Guard
from switchseg.engine.training import Training
from switchseg.labels import IGNORED
from switchseg.losses.config import LossConfig
from switchseg.models.create import create_model
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
    world: World = WORLD,
    **train,
) -> Training:
    torch.manual_seed(0)
    model = create_model(encoder, decoder, norm, classes=Classes.unnamed(3))
    if dropout:
        model.decoder.classify = torch.nn.Sequential(torch.nn.Dropout2d(dropout), model.decoder.classify)
    config = RunConfig(
        train=TrainConfig(steps=10, precision=train.pop("precision", "fp64"), **train),
        loss=LossConfig(average=average),
        optim=OptimConfig(name=optimizer, lr_encoder=1e-3, lr_decoder=1e-3),
    )
    training = Training.start(config, world, model)
    training.set_training_mode()
    return training


def decide_on_device(training: Training) -> Training:
    """Give a training on the CPU the optimizer and the guard of one on a GPU."""
    config = training.config
    training.optimizer = build_optimizer(training.model, config.optim, on_device=True)
    training.scheduler = build_scheduler(training.optimizer, config.optim, config.train.steps)
    training.guard = Guard(training.optimizer, training.world.device, on_device=True)
    return training


def gradients(training: Training) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in training.model.named_parameters() if p.grad is not None}
