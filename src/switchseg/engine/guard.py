"""Keeps a loss that is not finite out of the weights, without making the device wait for the host."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from switchseg.errors import UserError


@dataclass(frozen=True)
class _Read:
    """A loss on its way to the host, and how many ranks wish to stop."""

    seen: Tensor
    arrived: torch.cuda.Event | None
    explain: Callable[[float], str]


class Guard:
    """Watches the losses of a training.

    With an optimizer that the device can stop by itself (`found_inf`, as the fused ones have it), the first loss that
    is not finite stops all further updates there, and the host finds it one step later, when the next one is queued.
    Other optimizers wait until the host has seen the loss.

    What else the ranks have to agree on in every step comes to the host with the loss, so that nothing waits for it
    alone.

    Args:
        optimizer: What is to be stopped.
        device: Where losses are.
        on_device: Whether `optimizer` can be stopped by the device.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, device: torch.device, on_device: bool) -> None:
        self._seen = torch.zeros(2, dtype=torch.float64, device=device)
        self.loss, self._wishes = self._seen.unbind()
        self.stopped = torch.zeros((), device=device)
        """1 once a loss was not finite."""
        self.on_device = on_device
        self.asked_to_stop = False
        """Whether some rank wished to stop in a step whose loss has been read: the same on every rank."""
        self._agreeing = False
        self._read: _Read | None = None
        if on_device:
            optimizer.register_step_pre_hook(self._stop)

    def see(self, loss: Tensor, explain: Callable[[float], str], wishes: Tensor | None = None) -> None:
        """Take the loss of a step, before its update, and how many ranks wish to stop after it.

        Raises:
            UserError: it is not finite, and the optimizer waits for the host; with what `explain` says of its value.
        """
        self.loss.copy_(loss)
        self._agreeing = wishes is not None
        if wishes is not None:
            self._wishes.copy_(wishes)
        if self.on_device:
            # It stays 1: by the time that the host reads the loss, further steps have been queued.
            torch.maximum(self.stopped, (~torch.isfinite(loss)).to(self.stopped.dtype), out=self.stopped)
        else:
            self._read = _Read(self._seen, None, explain)
            self.settle()

    def queue(self, explain: Callable[[float], str]) -> None:
        """Send the loss that was seen last to the host, after its step was queued, and look at the one before.

        Raises:
            UserError: as `settle` does.
        """
        if not self.on_device:
            return
        before = self._read
        cuda = self.loss.is_cuda
        # A copy of its own for each step, in pinned memory: the next step overwrites `loss`, and a copy to any other
        # memory waits.
        seen = torch.empty(2, dtype=self._seen.dtype, device="cpu", pin_memory=cuda)
        seen.copy_(self._seen, non_blocking=True)
        # The event is recorded before the loss of the step before is waited for, so the device always has a step to do.
        self._read = _Read(seen, torch.cuda.current_stream().record_event() if cuda else None, explain)
        self._look(before)

    def settle(self) -> None:
        """Wait for the last step.

        Raises:
            UserError: its loss was not finite; it and those queued after it updated nothing.
        """
        # Taken out first: a loss that was told once is not told again by whoever cleans up.
        read, self._read = self._read, None
        self._look(read)

    def _look(self, read: _Read | None) -> None:
        if read is None:
            return
        if read.arrived is not None:
            read.arrived.synchronize()
        seen = read.seen.cpu()  # the one wait of a step, where it was not on its way to the host before
        loss = float(seen[0])
        if self._agreeing:
            self.asked_to_stop |= float(seen[1]) > 0
        if not math.isfinite(loss):
            raise UserError(read.explain(loss))

    def _stop(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        # GradScaler has set it to what it found, and removes it afterwards.
        found = getattr(optimizer, "found_inf", self.stopped)
        optimizer.found_inf = (  # type: ignore[attr-defined]
            found if found is self.stopped else torch.maximum(found, self.stopped)
        )
