"""Scores over seeds: their mean, their spread, and how both are written."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from switchseg.reports.table import DASH, percent


@dataclass(frozen=True)
class Sample:
    """Scores, or differences of scores, by seed."""

    values: Mapping[int, float]

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return statistics.fmean(self.values.values())

    @property
    def deviation(self) -> float:
        """The standard deviation over seeds (n - 1); not a number for a single one."""
        return statistics.stdev(self.values.values()) if len(self.values) > 1 else math.nan

    def minus(self, other: Sample) -> Sample | None:
        """Return the differences for the seeds that both have, None where they share none."""
        shared = {seed: value - other.values[seed] for seed, value in self.values.items() if seed in other.values}
        return Sample(shared) if shared else None


def spread_text(sample: Sample, sign: str = "") -> str:
    """Write mean and deviation in points; a single value has no deviation."""
    # A true minus sign, as wide as the plus beside it.
    text = format(100 * sample.mean, f"{sign}.2f").replace("-", "−")
    return text if math.isnan(sample.deviation) else f"{text} ± {percent(sample.deviation)}"


def score_text(sample: Sample | None) -> str:
    """Write mean, deviation and number of seeds, or a dash."""
    return DASH if sample is None else f"{spread_text(sample)} ({len(sample.values)})"


def difference_text(sample: Sample | None) -> str:
    """Write mean and deviation of differences and how many are above zero, or a dash."""
    if sample is None:
        return DASH
    above = sum(value > 0 for value in sample.values.values())
    return f"{spread_text(sample, '+')} ({above} of {len(sample.values)})"
