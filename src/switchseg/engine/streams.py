"""On which stream of a GPU the work is queued, and how batches get there; on the CPU there is nothing to do."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager

import torch

from switchseg.data.sample import Batch


def own_stream(device: torch.device) -> AbstractContextManager[object]:
    """Return the context for all work of a process: a stream that can be recorded, as the default one cannot be."""
    if device.type != "cuda":
        return contextlib.nullcontext()
    return torch.cuda.stream(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]


class Staging:
    """Copies batches to a device on a stream of their own, so that it happens while the step before is computed.

    A batch must be kept until the work that reads it is done: its memory belongs to the stream of the copies.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def __call__(self, batch: Batch) -> Batch:
        """Return `batch` (pinned, or the host waits for the copy) on the device, for work on the current stream."""
        if self._stream is None:
            return batch.to(self._device)
        with torch.cuda.stream(self._stream):
            batch = batch.to(self._device, non_blocking=True)
        torch.cuda.current_stream(self._device).wait_stream(self._stream)
        return batch
