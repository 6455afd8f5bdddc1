"""How much more often neighbouring pixels differ in their labels where windows meet than they do elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from switchseg.config.inference import Rule
from switchseg.engine.inference import windows_of
from switchseg.engine.windows import Windows
from switchseg.models.segmenter import Segmenter

Lines = npt.NDArray[np.bool_]


class Seams(NamedTuple):
    """Counts of pairs of neighbouring pixels, and of those of two labels."""

    along: int = 0
    """Pairs across the border of a window."""
    along_differing: int = 0
    elsewhere: int = 0
    elsewhere_differing: int = 0

    def plus(self, other: Seams) -> Seams:
        """Return the counts of both."""
        return Seams(*(own + its for own, its in zip(self, other, strict=True)))

    @property
    def score(self) -> float | None:
        """Share of differing pairs along the borders over that elsewhere: 1 without seams.

        None where there is nothing to compare: no windows meet, or no labels differ elsewhere.
        """
        # Of a map with one label elsewhere no ratio can be told: neither 0 nor infinity would be true.
        if not (self.along and self.elsewhere_differing):
            return None
        return (self.along_differing / self.along) / (self.elsewhere_differing / self.elsewhere)

    def describe(self) -> str:
        """Return the counts in words, to be printed."""
        along, elsewhere = (f"{100 * (share or 0):.2f} %" for share in self._shares())
        differ = f"{along} of neighbouring pixels differ where windows meet"
        if self.score is None:
            return f"no score ({differ}, and none elsewhere to compare with)"
        return f"{self.score:.2f} ({differ}, {elsewhere} elsewhere)"

    def to_json(self) -> dict[str, Any]:
        """Return the score with the shares that it is made of; None where there is nothing to divide by."""
        along, elsewhere = self._shares()
        return {"score": self.score, "along": along, "elsewhere": elsewhere}

    def _shares(self) -> tuple[float | None, float | None]:
        along = self.along_differing / self.along if self.along else None
        return along, self.elsewhere_differing / self.elsewhere if self.elsewhere else None


def find_seams(labels: npt.NDArray[np.integer], rule: Rule, model: Segmenter) -> Seams:
    """Count the seams of a label map [H, W] that `model` made by `rule`; none without windows."""
    if rule.window is None:
        return Seams()
    rows, columns = border_lines(rule, model, (labels.shape[0], labels.shape[1]))
    return count(labels, rows, columns)


def border_lines(rule: Rule, model: Segmenter, size: tuple[int, int]) -> tuple[Lines, Lines]:
    """Return between which rows [H - 1] and columns [W - 1] of a label map the windows of any scale meet."""
    rows, columns = (np.zeros(max(0, length - 1), bool) for length in size)
    for short_side in rule.short_sides:
        scaled = rule.scaled_size(*size, short_side)
        windows = windows_of(rule, model, scaled)
        if windows is not None:
            for lines, found in zip((rows, columns), lines_of(windows, size, model.stride), strict=True):
                lines |= found
    # A mirrored image has its windows mirrored too, so its borders lie as far from the other side.
    return rows, (columns | columns[::-1] if rule.flip else columns)


def lines_of(windows: Windows, size: tuple[int, int], grid: int) -> tuple[Lines, Lines]:
    """Return between which rows and columns of a label map of `size` windows meet, of logits at 1 / `grid`."""
    rows, columns = (
        _near(max(0, length - 1), borders, shown, grid)
        for length, borders, shown in zip(size, windows.borders(), windows.size, strict=True)
    )
    return rows, columns


def count(labels: npt.NDArray[np.integer], rows: Lines, columns: Lines) -> Seams:
    """Count the pairs along and beside the lines of `border_lines`."""
    # Pairs of columns are transposed, so that the first axis runs over the lines in both directions.
    down, across = labels[1:] != labels[:-1], (labels[:, 1:] != labels[:, :-1]).T
    found = Seams()
    for differing, lines in ((down, rows), (across, columns)):
        totals = differing.sum(1)
        pairs, along = differing.shape[1], int(lines.sum())
        found = found.plus(
            Seams(along * pairs, int(totals[lines].sum()), (len(lines) - along) * pairs, int(totals[~lines].sum()))
        )
    return found


def _near(lines: int, borders: Sequence[int], length: int, grid: int) -> Lines:
    """Return which lines between the pixels of a side lie within half a cell of the logits from a border.

    Upsampling spreads a step between two cells over the distance of their middles.
    """
    # The windows lie in the scaled image, the lines in the label map: pixels of the one to pixels of the other.
    scale = (lines + 1) / length
    near = np.zeros(lines, bool)
    for border in borders:
        low, high = math.ceil((border - grid / 2) * scale), math.floor((border + grid / 2) * scale)
        # Line i lies between the pixels i and i + 1, that is at i + 1 pixels from the edge: one less than a position.
        near[max(0, low - 1) : max(0, high)] = True
    return near
