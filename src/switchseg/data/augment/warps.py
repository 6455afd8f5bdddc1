"""Another point of view: warps that keep an image's size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from switchseg import limits
from switchseg.data.augment.transform import FILL, Pair, Transform
from switchseg.labels import IGNORED
from switchseg.limits import Between


@dataclass(frozen=True, kw_only=True)
class Rotation(Transform):
    """Turns about the centre."""

    degrees: tuple[float, float] = (-10.0, 10.0)
    """Range of the angle, counterclockwise."""

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.check("", self, degrees=Between(-360, 360))
        limits.check_ranges("", self, "degrees")

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        """Return the turned sample."""
        height, width = pair.label.shape
        # OpenCV's coordinates are those of the middles of pixels, so the centre lies half a pixel before width / 2.
        centre = ((width - 1) / 2, (height - 1) / 2)
        turn = cv2.getRotationMatrix2D(centre, rng.uniform(*self.degrees), 1.0)
        return _warped(pair, np.vstack((turn, (0, 0, 1))))


@dataclass(frozen=True, kw_only=True)
class Perspective(Transform):
    """Moves the corners inwards, each by itself, as if the camera had been tilted."""

    distortion: float = 0.3
    """How far a corner moves at most, in halves of the image's sides."""

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.check("", self, distortion=Between(0, 1, below=True))

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        """Return the tilted sample."""
        height, width = pair.label.shape
        inward = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
        # The outer corners, in the same coordinates: the first pixel's middle is at 0.
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)]) - 0.5
        moved = corners + inward * rng.uniform(0, self.distortion / 2, (4, 2)) * (width, height)
        return _warped(pair, cv2.getPerspectiveTransform(corners.astype(np.float32), moved.astype(np.float32)))


def _warped(pair: Pair, matrix: np.ndarray) -> Pair:
    """Return the sample warped by the [3, 3] matrix that maps its pixels (x, y, 1)."""
    size = pair.label.shape[::-1]
    return Pair(
        cv2.warpPerspective(pair.image, matrix, size, flags=cv2.INTER_LINEAR, borderValue=FILL),
        cv2.warpPerspective(pair.label, matrix, size, flags=cv2.INTER_NEAREST, borderValue=IGNORED),
    )
