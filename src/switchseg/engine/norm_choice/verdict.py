"""The rule of the choice: scores of short trainings in, one norm and the reason out."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MANY_IMAGES = 16
"""Images per device from which batch statistics are taken for sound where the scores do not tell (docs/norms.md)."""
LEAST = 0.01
"""Of mIoU: what is closer counts as equal, however well the seeds agree; seeds of one recipe differ by 0.006 to 0.02
(docs/results.md)."""

# Student's t, both sides together 5 %, for 1, 2, 3 ... degrees of freedom; of more than twelve the last one is used,
# which is larger than theirs.
_T = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18)
_STATISTIC = {"in": "in", "gn": "ln"}
"""What a norm of single images computes, by its name among the statistics that SN mixes; GN's groups are LN's."""


@dataclass(frozen=True)
class Verdict:
    """What to take, and what that rests on."""

    norm: str
    reason: str
    noise: float
    """Differences of mean scores up to this one are taken for chance."""
    close: tuple[str, ...]
    """The norms that are not behind the best by more than the noise, the best first."""

    @property
    def is_clear(self) -> bool:
        """Whether the scores alone decide."""
        return len(self.close) == 1


def decide(scores: Mapping[str, Sequence[float]], shares: Mapping[str, float], images: int) -> Verdict:
    """Return the norm to take.

    The norm with the best mean is taken if it is ahead by more than the noise. Of several that are as close as that:
    with few images a device SN before BN, whose statistics then depend on chance most; otherwise BN, which costs
    nothing in inference; then the one of IN and GN whose statistic SN has turned to.

    Args:
        scores: mIoU as fractions by norm, for the same two or more seeds in the same order.
        shares: of the statistics `in`, `ln` and `bn` where the network begins, in the SN that was trained: it is there
            that styles are seen and that shares move most in a short training (docs/results.md).
        images: per device in a step.
    """
    means = {norm: statistics.fmean(values) for norm, values in scores.items()}
    ranked = sorted(means, key=lambda norm: -means[norm])
    noise = max(LEAST, least_significant_difference(scores))
    close = tuple(norm for norm in ranked if means[ranked[0]] - means[norm] <= noise)
    if len(close) == 1:
        ahead = _points(means[ranked[0]] - means[ranked[1]])
        reason = f"{ranked[0]} is {ahead} ahead of {ranked[1]}, the next; up to {_points(noise)} would be chance"
        return Verdict(ranked[0], reason, noise, close)
    norm, why = _of_equals(close, shares, images)
    return Verdict(norm, f"{_listed(close)} are within {_points(noise)}, which may be chance; {why}", noise, close)


def least_significant_difference(scores: Mapping[str, Sequence[float]]) -> float:
    """Return how far apart the means of two norms must be for their seeds not to explain it (Fisher's, level 5 %).

    Every norm was trained with the same seeds, so what a seed does to all of them alike is no noise.
    """
    values = list(scores.values())
    seeds = len(values[0])
    freedom = (len(values) - 1) * (seeds - 1)
    by_seed = [statistics.fmean(column) for column in zip(*values, strict=True)]
    overall = statistics.fmean(by_seed)
    squares = sum(
        (value - statistics.fmean(row) - by_seed[seed] + overall) ** 2
        for row in values
        for seed, value in enumerate(row)
    )
    return _T[min(freedom, len(_T)) - 1] * math.sqrt(2 * squares / freedom / seeds)


def _of_equals(close: Sequence[str], shares: Mapping[str, float], images: int) -> tuple[str, str]:
    """Return which of norms with equal scores to take, and why."""
    if images < MANY_IMAGES and "bn" in close and "sn" in close:
        return "sn", f"with {images} images a device sn, which depends less on which images meet than bn does"
    if "bn" in close:
        return "bn", "bn costs nothing in inference, where it folds into the convolutions"
    of_image = sorted((norm for norm in close if norm in _STATISTIC), key=lambda norm: -shares[_STATISTIC[norm]])
    shown = ", ".join(f"{name.upper()} {share:.0%}" for name, share in shares.items())
    return of_image[
        0
    ], f"bn is not among them, so each image's own statistics, of which sn mixes {shown} where it begins"


def _points(fraction: float) -> str:
    return f"{100 * fraction:.1f} points"


def _listed(norms: Sequence[str]) -> str:
    return f"{', '.join(norms[:-1])} and {norms[-1]}"
