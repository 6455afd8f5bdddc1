"""The memory of a device: what is free, and the most that some work takes."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

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
        """Resident at first: what earlier work has left behind would make later work look small."""

    def free(self) -> int:
        """Return the bytes that are free."""
        if self._device.type == "cuda":
            return int(torch.cuda.mem_get_info(self._device)[0])
        # Both: a container sees the memory of its host, and a limit may be larger than what the host has left.
        return min(_available(), _left_of_limit())

    @contextlib.contextmanager
    def peak(self) -> Iterator[Peak]:
        """Measure the most memory that the work in the context takes."""
        peak = Peak()
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            with contextlib.suppress(OSError):  # where the kernel cannot begin anew, the peak is that of the process
                # 5 sets the kernel's own peak back, which no sampling can miss.
                Path("/proc/self/clear_refs").write_text("5")
        yield peak
        if self._device.type == "cuda":
            # Reserved, not allocated: what the allocator cannot give back between its blocks is gone for others too.
            peak.size = torch.cuda.max_memory_reserved(self._device)
        else:
            peak.size = max(0, _status("VmHWM") - self._before)

    def give_back(self) -> None:
        """Return what is not in use to the device."""
        # Modules and hooks refer to each other, so their tensors live until the cycles are found.
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _resident(self) -> int:
        return _status("VmRSS") if self._device.type == "cpu" else 0


def _available() -> int:
    with contextlib.suppress(OSError):
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _left_of_limit() -> int:
    """Return what a container's limit leaves, all there is where it has none."""
    with contextlib.suppress(OSError, ValueError):
        return int((_CGROUP / "memory.max").read_text()) - int((_CGROUP / "memory.current").read_text())
    return 1 << 62


def _status(key: str) -> int:
    """Return an entry of this process's status in bytes, 0 where there is none."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return 0
