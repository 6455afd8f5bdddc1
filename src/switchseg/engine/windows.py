"""Where the windows lie that the network is shown of a large image, and one map of logits from theirs."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from switchseg.engine.network import Network
from switchseg.geometry import round_up

_GOLDEN = (math.sqrt(5) - 1) / 2  # multiples of it, cut to their fractions, are spread evenly

_log = logging.getLogger(__name__)

PIXELS = 2**22
"""How many pixels of an image go through the network at once, where its moments are learnt."""
BATCHES = 16
"""From how many batches of so many pixels, at most, the moments of an image are learnt."""
ROUNDS = 3
"""How often these batches are gone through, if there are several: the moments are then as good as those of one batch
that holds all of them (docs/results.md)."""


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


def averaged_logits(network: Network, inputs: Tensor, windows: Windows) -> Tensor:
    """Return the logits [N, C, h, w] of normalized images, the mean of all windows that show a cell."""
    grid = network.model.stride
    shape = [-(-length // grid) for length in windows.size]
    total = inputs.new_zeros(len(inputs), network.model.spec.num_classes, *shape)
    count = inputs.new_zeros(shape)
    for row, column in windows:
        part = network(inputs[..., row.seen, column.seen])
        top, left = row.start // grid, column.start // grid
        rows, columns = slice(top, top + part.shape[2]), slice(left, left + part.shape[3])
        # Added up as they come: what is kept is one map, however many windows there are.
        total[..., rows, columns] += part
        count[rows, columns] += 1
    return total / count


def each(
    network: Network, windows: Windows, read: Callable[[Span, Span], Tensor | None]
) -> Iterator[tuple[Span, Span, Tensor]]:
    """Yield the windows of an image and their logits [1, C, h, w], made with its own moments; see `each_as_part`."""
    for row, column in windows:
        if (inputs := read(row, column)) is not None:
            yield row, column, network(inputs)


def each_as_part(
    network: Network, windows: Windows, read: Callable[[Span, Span], Tensor | None], pixels: int = PIXELS
) -> Iterator[tuple[Span, Span, Tensor]]:
    """Yield the windows of an image and their logits [1, C, h, w], made with the moments of the whole image.

    Args:
        network: what is run on one window after the other, and before that on some side by side.
        windows: all of one size, so that they can be.
        read: returns what a window shows, normalized [1, 3, H, W], or None to leave it out.
        pixels: how many the network may be shown at once.
    """
    batches = _batches(windows, read, pixels)
    statistics = network.image_statistics
    known: dict[tuple[Span, Span], Tensor] = {}
    with statistics.attached():
        for _ in range(ROUNDS if len(batches) > 1 else 1):
            for index, batch in enumerate(batches):
                # Own parts only: pixels that several windows show would count several times.
                statistics.gather([(row.part, column.part) for row, column in batch], index)
                shown = [inputs for window in batch if (inputs := read(*window)) is not None]
                logits = network.eagerly(torch.cat(shown))
                if len(batches) == 1:
                    # The pass that gathered has computed these logits; they are not computed twice.
                    known = dict(zip(batch, torch.split(logits, 1), strict=True))
        for window in windows if batches else ():
            statistics.keep()
            if window in known:
                yield *window, known[window]
            elif (inputs := read(*window)) is not None:
                yield *window, network.eagerly(inputs)


def _batches(
    windows: Windows, read: Callable[[Span, Span], Tensor | None], pixels: int
) -> list[tuple[tuple[Span, Span], ...]]:
    """Return the windows that stand for the image, all if that many may, in batches of so many pixels."""
    # At least one, however large a window is: without any there would be no moments.
    side_by_side = max(1, pixels // math.prod(windows.sides))
    most = BATCHES * side_by_side
    found = itertools.islice((window for window in windows.spread() if read(*window) is not None), most)
    batches = list(iter(lambda: tuple(itertools.islice(found, side_by_side)), ()))
    if sum(map(len, batches)) == most < len(windows):
        _log.warning("the statistics of the image are those of %d of its %d windows", most, len(windows))
    return batches


def whole_logits(network: Network, inputs: Tensor, windows: Windows) -> Tensor:
    """Return the logits [1, C, h, w] of a normalized image, each cell from the window whose own part it is."""
    grid = network.model.stride
    shape = [-(-length // grid) for length in windows.size]
    # Not filled: the own parts of the windows cover the image, each cell once.
    logits = inputs.new_empty(1, network.model.spec.num_classes, *shape)
    for row, column, part in each_as_part(network, windows, lambda row, column: inputs[..., row.seen, column.seen]):
        logits[..., row.own(grid), column.own(grid)] = part[..., row.own_inside(grid), column.own_inside(grid)]
    return logits
