"""Numbers over steps and over layers, read out of a run's log for page and plots alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from switchseg.reports.run_files import is_number
from switchseg.reports.runs import Run

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Series:
    """Finite values at rising steps."""

    steps: Array
    values: Array

    def __len__(self) -> int:
        return len(self.steps)

    def smoothed(self, span: float) -> Series:
        """Return the running mean over what lies in a window of so many steps around each entry."""
        # Differences of one cumulative sum cost the same at any width, which may be a twentieth of a long log.
        total = np.concatenate(([0.0], np.cumsum(self.values)))
        low = np.searchsorted(self.steps, self.steps - span / 2, "left")
        high = np.searchsorted(self.steps, self.steps + span / 2, "right")
        return Series(self.steps, (total[high] - total[low]) / (high - low))

    def thinned(self, most: int) -> Series:
        """Return at most `most` entries, evenly chosen, first and last included."""
        chosen = spread(len(self), most)
        return Series(self.steps[chosen], self.values[chosen])


@dataclass(frozen=True)
class Shares:
    """How much of each statistic the layers of a model use: fractions that sum to 1 over the statistics.

    `means` and `variances` have the shape [layers, statistics].
    """

    layers: tuple[str, ...]
    statistics: tuple[str, ...]
    means: Array
    variances: Array

    @property
    def kinds(self) -> dict[str, Array]:
        """Return the two kinds of shares by name."""
        return {"means": self.means, "variances": self.variances}

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Return the stages of the model and how many of the layers, in their order, belong to each."""
        groups: list[tuple[str, int]] = []
        for layer in self.layers:
            name = _group(layer)
            if groups and groups[-1][0] == name:
                groups[-1] = (name, groups[-1][1] + 1)
            else:
                groups.append((name, 1))
        return groups


def common_span(lines: Sequence[Series]) -> float:
    """Return the window in steps for all lines of a chart, a twentieth of the longest.

    By its own window, the run that is shorter or logs more rarely would look noisier or smoother than it is.
    """
    return max(float(line.steps[-1]) for line in lines) / 20


def spread(count: int, most: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return at most `most` of the indices 0 .. count - 1, evenly chosen, first and last included."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def curve(run: Run, event: str, key: str) -> Series:
    """Return the number at the dotted `key` of all records of `event`; records without it are left out."""
    points = [(r["step"], v) for r in run.events.get(event, []) if (v := _number(r, key)) is not None]
    # Sorted, for a log may have been put together by hand; shaped, for an empty list would have one dimension.
    steps, values = np.array(sorted(points), dtype=np.float64).reshape(-1, 2).T
    return Series(steps, values)


def shares_over_time(run: Run) -> list[tuple[int, Shares]]:
    """Return (step, shares) of every record of the log; none where the run has no layer that mixes statistics."""
    return [(r["step"], _shares(r["layers"])) for r in run.events.get("shares", []) if r.get("layers")]


def last_shares(run: Run) -> Shares | None:
    """Return the shares that the log speaks of last."""
    found = shares_over_time(run)
    return found[-1][1] if found else None


def _number(record: dict[str, Any], key: str) -> float | None:
    value: Any = record
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return float(value) if is_number(value) else None


def _shares(layers: dict[str, Any]) -> Shares:
    # Layers may mix different statistics (sn beside sn_in_ln); one that a layer does not know has a share of 0.
    found = {name for layer in layers.values() for name in layer["mean"]}
    statistics = tuple(name for name in ("in", "ln", "bn") if name in found)

    def values(kind: str) -> Array:
        return np.array([[layer[kind].get(name, 0.0) for name in statistics] for layer in layers.values()], np.float64)

    return Shares(tuple(layers), statistics, values("mean"), values("var"))


def _group(layer: str) -> str:
    stage = re.search(r"(?:layer|stages?|blocks)[._]?(\d+)", layer)
    if stage and not layer.startswith("decoder"):
        return stage[0].replace("_", " ").replace(".", " ")
    first = layer.split(".")[0]
    return "stem" if first == "encoder" else first
