"""Logits of an image from those of its windows, made with the moments of each window or of the whole image."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from switchseg.engine.network import Network
from switchseg.engine.windows import Span, Windows

_log = logging.getLogger(__name__)

PIXELS = 2**22
"""How many pixels of an image go through the network at once, where its moments are learnt."""
BATCHES = 16
"""From how many batches of so many pixels, at most, the moments of an image are learnt."""
ROUNDS = 3
"""How often these batches are gone through, if there are several: the moments are then as good as those of one batch
that holds all of them (docs/results.md)."""


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
