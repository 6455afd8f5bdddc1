"""Changes of the pixels where they are: colours, sharpness, noise, parts that are hidden."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import cv2
import numpy as np

from switchseg import limits
from switchseg.data.augment.transform import FILL, Pair, Transform
from switchseg.labels import IGNORED
from switchseg.limits import Between

# The middles of 256 equal shares of the normal distribution: a byte draws one, many times as fast as the exact way.
_NORMAL = np.array([NormalDist().inv_cdf((step + 0.5) / 256) for step in range(256)])


@dataclass(frozen=True, kw_only=True)
class Colour(Transform):
    """Changes brightness, contrast, saturation and hue, each half of the time; the ranges are mmsegmentation's."""

    brightness: float = 32.0
    """Largest step up or down, of 255."""
    contrast: tuple[float, float] = (0.5, 1.5)
    """Range of the factor on all values."""
    saturation: tuple[float, float] = (0.5, 1.5)
    """Range of the factor on the saturation."""
    hue: int = 36
    """Largest turn of the hue to either side, in degrees."""

    def __post_init__(self) -> None:
        super().__post_init__()
        factors = Between(0, 100)
        limits.check("", self, brightness=Between(0, 255), contrast=factors, saturation=factors, hue=Between(0, 180))
        limits.check_ranges("", self, "contrast", "saturation")

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        """Return the sample in other colours."""
        image = pair.image
        chosen = rng.random(4) < 0.5
        shift = rng.uniform(-self.brightness, self.brightness)
        contrast, saturation = rng.uniform(*self.contrast), rng.uniform(*self.saturation)
        hue = rng.integers(-(self.hue // 2), self.hue // 2 + 1)  # OpenCV counts hue in steps of 2 degrees
        values = np.arange(256, dtype=np.float32)
        if chosen[0] or chosen[1]:
            # Both in one table, as all bytes of one value change alike; and rounded once, not twice.
            table = (values + shift * chosen[0]) * (contrast if chosen[1] else 1.0)
            image = cv2.LUT(image, np.clip(np.rint(table), 0, 255).astype(np.uint8))
        if chosen[2] or chosen[3]:
            hues = (np.arange(256) + hue * chosen[3]) % 180
            saturations = np.clip(np.rint(values * (saturation if chosen[2] else 1.0)), 0, 255)
            tables = np.stack((hues, saturations, values), axis=-1).astype(np.uint8)[None]
            image = cv2.cvtColor(cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), tables), cv2.COLOR_HSV2RGB)
        return Pair(image, pair.label)


@dataclass(frozen=True, kw_only=True)
class Blur(Transform):
    """Blurs with a Gaussian."""

    sigma: tuple[float, float] = (0.1, 2.0)
    """Range of its standard deviation in pixels."""

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.check("", self, sigma=Between(0, 100, above=True))
        limits.check_ranges("", self, "sigma")

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        """Return the blurred image with its label."""
        return Pair(cv2.GaussianBlur(pair.image, (0, 0), rng.uniform(*self.sigma)), pair.label)


@dataclass(frozen=True, kw_only=True)
class Noise(Transform):
    """Adds independent Gaussian noise to every value, drawn from 256 quantiles."""

    std: tuple[float, float] = (0.0, 12.0)
    """Range of its standard deviation, of 255."""

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.check("", self, std=Between(0, 255))
        limits.check_ranges("", self, "std")

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        """Return the noisy image with its label."""
        table = np.rint(rng.uniform(*self.std) * _NORMAL).astype(np.int16)
        drawn = np.frombuffer(rng.bytes(pair.image.size), np.uint8).reshape(pair.image.shape)
        # OpenCV saturates at 0 and 255, where numpy would wrap around.
        return Pair(cv2.add(pair.image, cv2.LUT(drawn, table), dtype=cv2.CV_8U), pair.label)


@dataclass(frozen=True, kw_only=True)
class Erasing(Transform):
    """Hides a rectangle, so that what is there has to be told from what is around it."""

    area: tuple[float, float] = (0.02, 0.2)
    """Range of its share of the image."""
    aspect: tuple[float, float] = (0.3, 3.3)
    """Range of its height over its width."""
    ignore: bool = False
    """Whether the label of what is hidden no longer counts."""

    def __post_init__(self) -> None:
        super().__post_init__()
        limits.check("", self, area=Between(0, 1), aspect=Between(0, 100, above=True))
        limits.check_ranges("", self, "area", "aspect")

    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        """Return the sample with the rectangle in the mean colour."""
        lengths = np.array(pair.label.shape)
        area = lengths.prod() * rng.uniform(*self.area)
        # Even in the logarithm, so that lying and standing rectangles are equally frequent.
        aspect = math.exp(rng.uniform(*np.log(self.aspect)))
        # Long rectangles may not fit into the image; they then hide less than was drawn.
        hidden = np.minimum(lengths, np.rint((math.sqrt(area * aspect), math.sqrt(area / aspect))).astype(int))
        top, left = rng.integers(lengths - hidden + 1)
        window = np.s_[top : top + hidden[0], left : left + hidden[1]]
        image, label = pair.image.copy(), pair.label.copy()
        image[window] = FILL
        if self.ignore:
            label[window] = IGNORED
        return Pair(image, label)
