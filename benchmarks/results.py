"""How the benchmarks measure and where their rows go: benchmarks/results.csv."""

from __future__ import annotations

import csv
import ctypes
import datetime
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

RESULTS = Path(__file__).with_name("results.csv")
FIELDS = (
    *("date", "commit", "machine", "threads", "torch", "benchmark", "case", "variant", "measure"),
    *("median", "low", "high", "unit", "ratio", "ratio_to"),
)


@dataclass(frozen=True)
class Timing:
    """Seconds of one variant: median, 20 % and 80 % quantile over the rounds."""

    median: float
    low: float
    high: float


def keep_heap() -> None:
    """Let glibc keep what is freed, up to 32 MiB a piece.

    Otherwise it gives pages back and faults them in anew, at 1 to 2 us each where this was measured: more than a norm
    takes to read them, and whether it hits a variant is up to what ran before.
    """
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(trim_threshold, 1 << 30)
        mallopt(mmap_threshold, 32 << 20)


def interleaved(
    variants: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 2, primed: bool = False
) -> dict[str, list[float]]:
    """Time every variant once a round, round after round, so that all see the same noise; return seconds per round.

    With `primed`, each timed call follows one of the same variant, whose caches are its own.
    """
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for number in range(warm_up + rounds):
        for name, work in variants.items():
            if primed:
                work()
            wait()
            began = time.perf_counter()
            work()
            wait()
            if number >= warm_up:
                seconds[name].append(time.perf_counter() - began)
    return seconds


def summary(seconds: Sequence[float]) -> Timing:
    """Return median and quantiles of the rounds."""
    ordered = sorted(seconds)
    low, high = ordered[len(ordered) // 5], ordered[-1 - len(ordered) // 5]
    return Timing(statistics.median(ordered), low, high)


def ratio(seconds: Sequence[float], base: Sequence[float]) -> float:
    """Return the median over the rounds of the ratio within a round."""
    return statistics.median(ours / theirs for ours, theirs in zip(seconds, base, strict=True))


def append(benchmark: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Append rows (`case`, `variant`, `measure`, `median`, ...) with machine, versions and commit."""
    common = {
        "date": datetime.date.today().isoformat(),
        "commit": _commit(),
        "machine": _machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "benchmark": benchmark,
    }
    new = not RESULTS.exists()
    with RESULTS.open("a", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, FIELDS, restval="", lineterminator="\n")
        if new:
            table.writeheader()
        table.writerows({**common, **row} for row in rows)


def wait() -> None:
    """Wait for the device, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _machine() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    names = [line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _cpu_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _commit() -> str:
    git = ["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()
