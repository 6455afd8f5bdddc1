"""What the training reports between two lines of its log: loss, accuracy and mIoU on the images it trains on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from switchseg.distributed import World
from switchseg.metrics import confusion_of_classes, mean_iou, pixel_accuracy


@dataclass(frozen=True)
class Reading:
    """Means over the steps since the last reading."""

    loss: float
    accuracy: float
    mean_iou: float
    """Over the classes that occurred."""


class Meter:
    """Sums over steps, on the device; only `read` waits for it."""

    def __init__(self, num_classes: int, device: torch.device) -> None:
        self._loss = torch.zeros(2, dtype=torch.float64, device=device)  # sum, steps
        self._confusion = torch.zeros(num_classes, num_classes, dtype=torch.int64, device=device)

    @property
    def sums(self) -> list[Tensor]:
        """The tensors that are added to."""
        return [self._loss, self._confusion]

    def add_loss(self, loss: Tensor) -> None:
        """Count the loss of one step (already the same on every rank)."""
        self._loss[0] += loss
        self._loss[1] += 1

    def add_prediction(self, logits: Tensor, labels: Tensor) -> None:
        """Count the predictions of this rank: logits [N, C, H, W] at the size of the labels [N, H, W]."""
        # Not `confusion_matrix`, whose look for wrong predictions would wait for the device.
        self._confusion += confusion_of_classes(logits.argmax(1), labels, len(self._confusion))

    def read(self, world: World) -> Reading:
        """Return the means over all ranks and start again. Every rank must call it."""
        confusion = world.sum(self._confusion).cpu()
        loss, steps = self._loss.tolist()
        # All pixels since the last reading may have been unlabelled.
        counted = bool(confusion.any())
        reading = Reading(
            loss=loss / max(steps, 1),
            accuracy=pixel_accuracy(confusion) if counted else 0.0,
            mean_iou=mean_iou(confusion) if counted else 0.0,
        )
        # In place: recorded steps add to these very tensors.
        self._loss.zero_()
        self._confusion.zero_()
        return reading

    def state_dict(self, world: World) -> dict[str, Any]:
        """Return the sums over all ranks. Every rank must call it."""
        # The loss is the same on every rank, the confusion is not: only that one is summed.
        return {"loss": self._loss.clone(), "confusion": world.sum(self._confusion).clone()}

    def load_state_dict(self, state: dict[str, Any], world: World) -> None:
        """Restore the sums; the first rank carries those of all."""
        self._loss.copy_(state["loss"])
        if world.is_main:
            self._confusion.copy_(state["confusion"])
        else:
            self._confusion.zero_()
