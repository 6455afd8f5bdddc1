"""ClassMix (Olsson et al., 2021): pieces of one image in another, cut out along the borders of its classes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from switchseg import limits
from switchseg.data.augment.transform import Pair, Transform
from switchseg.labels import IGNORED
from switchseg.limits import Between


@dataclass(frozen=True, kw_only=True)
class ClassMix(Transform):
    """Lays some classes of another random sample over this one, at the same place; half of the time by default."""

    probability: float = 0.5
    share: float = 0.5
    """Which share of the other sample's classes is taken, at least one class."""

    others = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.check("", self, share=Between(0, 1, above=True))

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        """Return this sample with what was taken of the other one; where their sizes differ, of what both have."""
        (other,) = others
        height, width = np.minimum(pair.label.shape, other.label.shape)
        source = Pair(other.image[:height, :width], other.label[:height, :width])
        classes = np.flatnonzero(np.bincount(source.label.ravel(), minlength=IGNORED + 1)[:IGNORED])
        taken = np.zeros(IGNORED + 1, np.uint8)
        taken[rng.permutation(classes)[: math.ceil(self.share * len(classes))]] = 1
        mask = cv2.LUT(np.ascontiguousarray(source.label), taken)
        # Copies, as pairs are never changed in place: the sample may be used again.
        image, label = pair.image.copy(), pair.label.copy()
        cv2.copyTo(np.ascontiguousarray(source.image), mask, image[:height, :width])
        cv2.copyTo(np.ascontiguousarray(source.label), mask, label[:height, :width])
        return Pair(image, label)
