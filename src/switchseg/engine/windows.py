"""Where the windows lie that the network is shown of a large image."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

from switchseg.geometry import round_up

_GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it, cut to their fractions, are spread evenly


class Span(NamedTuple):
    """A window along one side of an image, in pixels: it reaches from `start` to `stop`."""

    start: int
    stop: int
    low: int
    """Where its own part begins: the pixels that no other window shows deeper inside."""
    high: int

    @property
    def seen(self) -> slice:
        """What the network sees."""
        return slice(self.start, self.stop)

    @property
    def part(self) -> tuple[float, float]:
        """Its own part, as fractions of the window."""
        return (self.low - self.start) / (self.stop - self.start), (self.high - self.start) / (self.stop - self.start)

    def own(self, grid: int = 1) -> slice:
        """Return its own part among the cells of `grid` pixels of an image."""
        return slice(self.low // grid, -(-self.high // grid))

    def own_inside(self, grid: int = 1) -> slice:
        """Return its own part among its own cells."""
        return slice((self.low - self.start) // grid, -(-(self.high - self.start) // grid))


def spans(length: int, window: int, stride: int, grid: int) -> list[Span]:
    """Return the windows along one side, in order, the last one ending with the image.

    Args:
        length: of the image, in pixels.
        window: how long they are, a multiple of `grid`.
        stride: from one to the next, a multiple of `grid`.
        grid: where they may start and their own parts may meet.
    """
    # Rounded up, so that the last window starts on the grid; it may then be shorter than the others.
    last = max(0, round_up(length - window, grid))
    # The last one moves back instead of reaching over the edge, where there is nothing to show.
    starts = [*range(0, last, stride), last]
    stops = [min(start + window, length) for start in starts]
    # Two neighbours meet in the middle of what both see.
    meet = [(start + stop) // 2 // grid * grid for start, stop in zip(starts[1:], stops, strict=False)]
    return [Span(*ends) for ends in zip(starts, stops, [0, *meet], [*meet, length], strict=True)]


class Windows:
    """The windows of an image, row by row.

    Args:
        size: (H, W) of the image in pixels.
        window: their side.
        stride: from one to the next; two thirds of a window if None.
        grid: where they may start; side and stride are rounded up to it.
        alike: make all of them equally large, each longer than a multiple of `grid` by as much as the image is.
    """

    def __init__(
        self, size: tuple[int, int], window: int, stride: int | None, grid: int, *, alike: bool = False
    ) -> None:
        self.size, self.alike = size, alike
        side, step = round_up(window, grid), round_up(stride or max(1, 2 * window // 3), grid)
        # The start of the last window is then a multiple of `grid` without rounding, and its end that of the image:
        # only windows of one size can go through the network side by side.
        self.sides = [min(length, side + length % grid) if alike else side for length in size]
        self.rows, self.columns = (
            spans(length, side, step, grid) for length, side in zip(size, self.sides, strict=True)
        )

    def __len__(self) -> int:
        return len(self.rows) * len(self.columns)

    def __iter__(self) -> Iterator[tuple[Span, Span]]:
        return itertools.product(self.rows, self.columns)

    def borders(self) -> tuple[list[int], list[int]]:
        """Return where, along both sides, the map of the image passes from some windows to others, in pixels."""
        rows, columns = (
            # Either each pixel has one window, or averages change wherever a window begins or ends.
            {span.low for span in side} if self.alike else {end for span in side for end in (span.start, span.stop)}
            for side in (self.rows, self.columns)
        )
        return sorted(rows - {0, self.size[0]}), sorted(columns - {0, self.size[1]})

    def spread(self) -> list[tuple[Span, Span]]:
        """Return all of them in an order whose beginnings are spread evenly over the image."""
        return [window for _, window in sorted(enumerate(self), key=lambda entry: entry[0] * _GOLDEN % 1)]
