"""Which part of an image is seen, at which size and which way round."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np

from switchseg import limits
from switchseg.data.augment.transform import FILL, Pair, Transform
from switchseg.geometry import fit_short_side
from switchseg.labels import IGNORED
from switchseg.limits import SIDE, Between

_LONGEST = 4  # of a scaled image, in short sides
_MOST_CROPS = 10


@dataclass(frozen=True, kw_only=True)
class Scale(Transform):
    """Resizes by a random factor."""

    factors: tuple[float, float] = (0.5, 2.0)
    """Range of the factor."""
    short_side: int | None = None
    """The short side in pixels that the factor multiplies, and four times that the longest side; None is the image's
    own."""

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.check("", self, factors=Between(0, 100, above=True), short_side=SIDE)
        limits.check_ranges("", self, "factors")

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        """Return the sample in another size."""
        height, width = pair.label.shape
        short_side = max(1, round((self.short_side or min(height, width)) * rng.uniform(*self.factors)))
        # Without this bound a panorama or a strip could become many times as large as any other image.
        longest = _LONGEST * short_side if self.short_side else math.inf
        height, width = fit_short_side(height, width, short_side, longest)
        return Pair(
            cv2.resize(pair.image, (width, height), interpolation=cv2.INTER_LINEAR),
            # Never between two values: the middle of classes 2 and 4 is not class 3.
            cv2.resize(pair.label, (width, height), interpolation=cv2.INTER_NEAREST),
        )


@dataclass(frozen=True, kw_only=True)
class Crop(Transform):
    """Takes a window at a random place."""

    size: tuple[int, int] = (512, 512)
    """Height and width in pixels."""
    max_share: float = 0.75
    """A window in which one class holds more of the labelled pixels than this is drawn again, up to ten times."""
    pad: bool = True
    """Fill up smaller images at the right and the bottom, so that all have one size."""

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.check("", self, size=SIDE, max_share=Between(0, 1, above=True))

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        """Return the part of the sample inside the window."""
        image, label = pair
        for _ in range(_MOST_CROPS):
            top = rng.integers(max(0, label.shape[0] - self.size[0]) + 1)
            left = rng.integers(max(0, label.shape[1] - self.size[1]) + 1)
            window = np.s_[top : top + self.size[0], left : left + self.size[1]]
            # Every fourth pixel each way tells the shares well enough.
            if self.max_share == 1 or class_share(label[window][::4, ::4]) <= self.max_share:
                break
        cut = Pair(image[window], label[window])
        return _padded(cut, self.size) if self.pad and cut.label.shape != self.size else cut


@dataclass(frozen=True, kw_only=True)
class Flip(Transform):
    """Mirrors."""

    probability: float = 0.5
    axis: Literal["horizontal", "vertical"] = "horizontal"
    """`horizontal` exchanges left and right, `vertical` top and bottom."""

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        """Return the mirrored sample."""
        return mirrored(pair, self.axis)


def mirrored(pair: Pair, axis: str = "horizontal") -> Pair:
    """Return the sample with left and right exchanged, or top and bottom if `axis` is `vertical`."""
    code = 1 if axis == "horizontal" else 0
    return Pair(cv2.flip(pair.image, code), cv2.flip(pair.label, code))


def class_share(label: np.ndarray) -> float:
    """Return the share of the labelled pixels that the most frequent class holds; 1 where nothing is labelled."""
    counts = np.bincount(label.ravel(), minlength=IGNORED + 1)[:IGNORED]
    # Unlabelled windows count as one class, so that a crop without any label is drawn again.
    return float(counts.max() / max(1, counts.sum())) or 1.0


def _padded(pair: Pair, size: tuple[int, int]) -> Pair:
    height, width = pair.label.shape
    margins = (0, size[0] - height, 0, size[1] - width)  # top, bottom, left, right
    return Pair(
        cv2.copyMakeBorder(pair.image, *margins, cv2.BORDER_CONSTANT, value=FILL),
        cv2.copyMakeBorder(pair.label, *margins, cv2.BORDER_CONSTANT, value=IGNORED),
    )
