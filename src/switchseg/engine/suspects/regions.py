"""Regions whose label a model doubts: pixels where another class is as sure as it is where that class is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from switchseg.labels import IGNORED

TYPICAL_SHARE = 0.8
"""Of a class's typical confidence: what a pixel must reach to speak against another label."""
OPENING_SHARE = 1 / 120
"""Of an image's short side: strips thinner than this lie along edges, where no label is exact."""
SMALLEST_SHARE = 1 / 5000
"""Of an image's pixels: smaller regions are noise."""


class Region(NamedTuple):
    """Connected pixels of one label, which the model takes for one other class."""

    given: int
    """The class that the label says."""
    likelier: int
    """The class that the model sees."""
    score: float
    """Mean lead of the likelier class in probability, times the root of the pixels, times the fourth root of their
    share of the label's segment: what the list is ordered by."""
    confidence: float
    """Mean probability of the likelier class."""
    pixels: int
    box: tuple[int, int, int, int]
    """Top, left, bottom and right in pixels; the last two lie outside."""


class Doubt(NamedTuple):
    """What a model says of every pixel of an image; all are [H, W]."""

    own: npt.NDArray[np.float32]
    """Probability of the class that the label says."""
    best: npt.NDArray[np.float32]
    """Probability of the other class that is surest for its kind."""
    likelier: npt.NDArray[np.integer]
    """That class."""
    suspect: npt.NDArray[np.bool_]
    """Whether that class is likelier, and as sure as is typical of it."""


def doubt(
    tiles: Iterator[tuple[tuple[slice, slice], npt.NDArray[np.float32]]],
    label: npt.NDArray[np.integer],
    typical: npt.NDArray[np.float64],
) -> Doubt:
    """Compare probabilities with a label.

    Args:
        tiles: ((rows, columns), probabilities [rows, columns, C]) that cover the image.
        label: Class indices [H, W]; 255 is never doubted.
        typical: Typical confidence of each class [C], see `Typical`; NaN for one that no label has.
    """
    own, best = np.zeros(label.shape, np.float32), np.zeros(label.shape, np.float32)
    likelier = np.zeros(label.shape, np.int32)
    # Of a class that no label has nothing is typical: it is measured by certainty.
    # A typical confidence of 0 would make 0 / 0 of a pixel that is as unsure.
    floor = np.maximum(np.where(np.isnan(typical), 1.0, typical), np.finfo(np.float32).tiny)
    for tile, probabilities in tiles:
        # 255 is no class to look up; what is found in its place is discarded at the end.
        given = np.minimum(label[tile], probabilities.shape[-1] - 1).astype(np.int64)[..., None]
        own[tile] = np.take_along_axis(probabilities, given, -1)[..., 0]
        # Relative to what is typical: classes that a model is never sure of would else not be found at all.
        ratio = (probabilities / floor).astype(np.float32)
        # Below every ratio, so that the given class is never its own rival.
        np.put_along_axis(ratio, given, -1.0, -1)
        likelier[tile] = ratio.argmax(-1)
        best[tile] = np.take_along_axis(probabilities, likelier[tile][..., None].astype(np.int64), -1)[..., 0]
    suspect = (best > own) & (best >= TYPICAL_SHARE * floor[likelier]) & (label != IGNORED)
    return Doubt(own, best, likelier, suspect)


def regions(found: Doubt, label: npt.NDArray[np.integer]) -> list[Region]:
    """Return the regions of an image, the most suspect first."""
    # Odd, so that the square has a middle and does not move what it opens.
    size = max(3, round(OPENING_SHARE * min(label.shape))) | 1
    mask = cv2.morphologyEx(found.suspect.astype(np.uint8), cv2.MORPH_OPEN, np.ones((size, size), np.uint8)) > 0
    least = max(size * size, SMALLEST_SHARE * label.size)
    result = []
    for given in np.unique(label[mask]).tolist():
        segments = _parts(label == given)
        suspect = mask & (label == given)
        # Parts that touch are one region only if both classes agree.
        for likelier in np.unique(found.likelier[suspect]).tolist():
            parts = _parts(suspect & (found.likelier == likelier))
            for number in np.flatnonzero(parts.pixels >= least).tolist():
                window, inside = parts.cut(number)
                # All of a region lies in one segment of its label.
                whole = int(segments.pixels[segments.numbers[window][inside][0]])
                pixels = int(parts.pixels[number])
                lead = float((found.best[window] - found.own[window])[inside].mean())
                # A wrong label mostly takes a whole segment, and a model errs on parts; but an object that is missing
                # in the labels is a part, too: so the share counts, and not for much.
                score = lead * pixels**0.5 * (pixels / whole) ** 0.25
                region = Region(
                    given=given,
                    likelier=likelier,
                    score=score,
                    confidence=float(found.best[window][inside].mean()),
                    pixels=pixels,
                    box=(window[0].start, window[1].start, window[0].stop, window[1].stop),
                )
                result.append(region)
    return sorted(result, key=lambda region: -region.score)


class _Parts(NamedTuple):
    """The connected parts of a mask."""

    numbers: npt.NDArray[np.integer]
    """Of each pixel's part [H, W]; 0 is outside the mask."""
    pixels: npt.NDArray[np.integer]
    """Of each part; of 0 none."""
    boxes: npt.NDArray[np.integer]
    """Left, top, width and height of each."""

    def cut(self, number: int) -> tuple[tuple[slice, slice], npt.NDArray[np.bool_]]:
        """Return where a part lies, and which pixels there are its own: the box may hold pieces of others."""
        left, top, width, height = self.boxes[number].tolist()
        window = (slice(top, top + height), slice(left, left + width))
        return window, self.numbers[window] == number


def _parts(mask: npt.NDArray[np.bool_]) -> _Parts:
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    table = np.array(stats, np.int32)
    table[0] = 0
    return _Parts(np.asarray(numbers, np.int32), table[:, cv2.CC_STAT_AREA], table[:, : cv2.CC_STAT_AREA])


class Typical:
    """Sums up how sure a model is of each class where the label says that class."""

    def __init__(self, num_classes: int) -> None:
        self._sum, self._count = np.zeros(num_classes), np.zeros(num_classes, np.int64)

    def add(self, probabilities: npt.NDArray[np.float32], label: npt.NDArray[np.integer]) -> None:
        """Count the pixels of one tile: probabilities [..., C] and label [...]."""
        labelled = label != IGNORED
        given = label[labelled].astype(np.int64)
        own = np.take_along_axis(probabilities[labelled], given[:, None], -1)[:, 0]
        self._sum += np.bincount(given, own, len(self._sum))
        self._count += np.bincount(given, minlength=len(self._count))

    def mean(self) -> npt.NDArray[np.float64]:
        """Return the mean probability of each class over its pixels, [C]; NaN where there are none."""
        with np.errstate(invalid="ignore"):
            return np.where(self._count > 0, self._sum / np.maximum(self._count, 1), np.nan)
