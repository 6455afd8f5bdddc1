"""What a transform is: a function of one image with its label, and of random numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

from switchseg import limits
from switchseg.limits import Between

FILL = (124, 116, 104)
"""The mean colour of ImageNet, nearly 0 after normalization: what is shown where an image has no pixels."""


class Pair(NamedTuple):
    """An image and its label; never changed in place."""

    image: np.ndarray
    """uint8 RGB [H, W, 3]."""
    label: np.ndarray
    """uint8 [H, W]: the class index, 255 where none counts."""


@dataclass(frozen=True, kw_only=True)
class Transform(ABC):
    """Changes an image and its label together; the fields of a subclass are its settings.

    Labels take the value of one pixel each, never one in between, and are ignored where the image has no pixels.
    """

    probability: float = 1.0
    """How often it is applied at all."""

    others: ClassVar[int] = 0
    """How many further samples it is given."""

    def __post_init__(self) -> None:
        limits.check("", self, probability=Between(0, 1))

    @abstractmethod
    def __call__(self, pair: Pair, rng: np.random.Generator, *others: Pair) -> Pair:
        """Return the changed sample; all random numbers come from `rng`, and the same ones change it alike."""
