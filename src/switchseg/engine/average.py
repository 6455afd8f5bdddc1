"""The exponential moving average of a model, kept up without waiting for the device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from switchseg.models.segmenter import Segmenter
from switchseg.norms.sparse import sparse_layers


class MovingAverage(AveragedModel):
    """An average of weights and statistics; its first update copies them.

    What is no quantity is never averaged: counts, and which statistics of a sparse layer are fixed.

    torch's own update asks the device each time whether it is the first; here the host knows.

    Args:
        model: What is averaged, in the state before its first step.
        decay: How much of the average stays at each update.
    """

    def __init__(self, model: Segmenter, decay: float) -> None:
        super().__init__(model, use_buffers=True)
        self._blend = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self._begun = False

    @torch.no_grad()
    def update(self, model: Segmenter) -> None:
        """Move towards the present state of `model`."""
        groups: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
        averages = [*self.module.parameters(), *self.module.buffers()]
        for average, current in zip(averages, [*model.parameters(), *model.buffers()], strict=True):
            own, other = groups.setdefault(average.dtype, ([], []))
            own.append(average)
            other.append(current)
        for dtype, (own, other) in groups.items():
            if self._begun and dtype.is_floating_point:
                self._blend(own, other, self.n_averaged)
            else:
                # Copied first: it would take 1 / (1 - decay) steps to forget the weights of before the first step.
                # Integers always: cut to whole numbers after each update, their averages would never move.
                torch._foreach_copy_(own, other)
        # What the host knows of them is in no tensor. Recorded steps are recorded anew where it changes.
        for layer, its in zip(sparse_layers(self.module), sparse_layers(model), strict=True):
            layer.freeze_like(its)
        self.n_averaged += 1
        self._begun = True

    def load_state_dict(self, *arguments: Any, **options: Any) -> Any:
        """Restore what `state_dict` returned."""
        result = super().load_state_dict(*arguments, **options)
        # Here it may wait for the device; in `update`, which is recorded, it may not.
        self._begun = bool(self.n_averaged)
        return result
