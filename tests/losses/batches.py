"""Logits and labels for the tests of losses."""

from __future__ import annotations

import torch
from torch import Tensor

from switchseg.labels import IGNORED
from switchseg.losses import LOSSES
from switchseg.losses.config import LossConfig
from switchseg.losses.loss import Loss

WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 4.0], dtype=torch.float64)

SETTINGS = {
    "cross_entropy": LossConfig(label_smoothing=0.1),
    "focal": LossConfig(focal_gamma=1.5),
    "ohem": LossConfig(ohem_threshold=0.2, ohem_least=0.3),
    "dice": LossConfig(dice_smoothing=2.0),
}

CASES = {f"{name}{' with settings' * own}": (name, own) for name in LOSSES for own in (False, True)}
"""Every loss, as it is without settings, and with settings and weights of classes."""


def make(case: str) -> Loss:
    name, own = CASES[case]
    if not own:
        return LOSSES[name].configured(LossConfig(), None)
    return LOSSES[name].configured(SETTINGS.get(name, LossConfig()), WEIGHTS)


def pixels(labelled: float = 0.7, images: int = 3, side: int = 6, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Return float64 logits and labels; the last image has no label at all, and no image has all classes."""
    generator = torch.Generator("cpu").manual_seed(0)
    logits = 2 * torch.randn(images, classes, side, side, dtype=torch.float64, generator=generator)
    labels = torch.randint(classes, (images, side, side), generator=generator)
    for index, label in enumerate(labels):
        label[label == index % classes] = (index + 1) % classes
    labels[torch.rand(labels.shape, generator=generator) > labelled] = IGNORED
    labels[-1] = IGNORED
    return logits, labels
