"""The memory of a device: what is free, and the most that some work takes."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from switchseg import system

_CGROUP = Path("/sys/fs/cgroup")


@dataclass
class Peak:
    """The most bytes that some work took; known when it is done."""

    size: int = 0


class Memory:
    """Measures a device. Of the CPU it is the resident memory of this process that counts, data workers left out."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._before = self._resident()
        """Measured once, not before each piece of work: what one leaves behind would make the next look small."""

    def free(self) -> int:
        """Return the bytes that are free."""
        if self._device.type == "cuda":
            return int(torch.cuda.mem_get_info(self._device)[0])
        # Both: a container sees the memory of its host, and a limit may be larger than what the host has left.
        return min(system.free_memory(), _left_of_limit())

    @contextlib.contextmanager
    def peak(self) -> Iterator[Peak]:
        """Measure the most memory that the work in the context takes."""
        peak = Peak()
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            system.forget_peak_memory()
        yield peak
        if self._device.type == "cuda":
            # Reserved, not allocated: what the allocator cannot give back between its blocks is gone for others too.
            peak.size = torch.cuda.max_memory_reserved(self._device)
        else:
            peak.size = max(0, system.peak_memory() - self._before)

    def give_back(self) -> None:
        """Return what is not in use to the device."""
        # Modules and hooks refer to each other, so their tensors live until the cycles are found.
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _resident(self) -> int:
        return system.resident_memory() if self._device.type == "cpu" else 0


def _left_of_limit() -> int:
    """Return what a container's limit leaves, all there is where it has none."""
    with contextlib.suppress(OSError, ValueError):
        limit, used = (int((_CGROUP / f"memory.{name}").read_text()) for name in ("max", "current"))
        # Files that were read and are not in use count too, until somebody needs the memory: as Kubernetes counts it.
        entries = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        return limit - used + int(entries.get("inactive_file", 0))
    return 1 << 62
