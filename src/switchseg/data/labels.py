"""From the values a label file stores to class indices, with every value that stands for no class caught."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np

from switchseg.classes import Classes
from switchseg.errors import UserError
from switchseg.labels import IGNORED

_INVALID = -1


class LabelMap:
    """Stored label values, or colours, to class indices 0 .. C-1 and 255 (ignored). Values not listed are mistakes."""

    def __init__(self, values: Mapping[int, int], colours: bool = False) -> None:
        """Take `{stored value: class index or 255}`; a colour's value is `red << 16 | green << 8 | blue`."""
        self.values = dict(values)
        self.colours = colours
        # For colours it takes 32 MiB, but one look-up a pixel whatever the number of classes.
        self._table = np.full(1 << 24 if colours else 1 << 16, _INVALID, np.int16)
        self._table[list(self.values.keys())] = list(self.values.values())
        # The same for 8 bits, in the form that OpenCV looks up ten times as fast.
        self._classes, self._invalid = self._table[:256].astype(np.uint8), (self._table[:256] < 0).astype(np.uint8)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LabelMap) and (self.values, self.colours) == (other.values, other.colours)

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def identity(cls, classes: Classes) -> LabelMap:
        """Values are class indices; 255 is ignored."""
        return cls({**{k: k for k in range(_count(classes))}, IGNORED: IGNORED})

    @classmethod
    def reduce_zero(cls, classes: Classes) -> LabelMap:
        """ADE20K's rule: 0 is unlabelled, k stands for class k - 1; 255 is ignored, unless it is the last class's."""
        return cls({IGNORED: IGNORED, 0: IGNORED, **{k + 1: k for k in range(_count(classes))}})

    @classmethod
    def palette(cls, classes: Classes, ignored: Sequence[tuple[int, int, int]] = ()) -> LabelMap:
        """Colour masks: each class by its colour in the palette; black is ignored unless it is a class's colour."""
        codes = {_code(*colour): index for index, colour in enumerate(classes.palette)}
        if len(codes) < _count(classes):
            raise UserError("palette: two classes have the same colour; a colour mask cannot tell them apart")
        if both := [colour for colour in ignored if _code(*colour) in codes]:
            raise UserError(f"palette: {both[0]} is a class's colour and ignored; it can be one of the two")
        return cls(
            {**dict.fromkeys((_code(*colour) for colour in ((0, 0, 0), *ignored)), IGNORED), **codes}, colours=True
        )

    def __call__(self, stored: np.ndarray, name: str) -> np.ndarray:
        """Return class indices, uint8 [H, W], of what `read_label` returned for the file `name`.

        Raises:
            UserError: a value stands for no class; names the value, how many pixels have it and what is right.
        """
        stored = self._codes(stored)
        if stored.dtype == np.uint8 and not cv2.LUT(stored, self._invalid).any():
            return np.asarray(cv2.LUT(stored, self._classes))
        # Values of 16 bits, colours, and files with a mistake in them.
        mapped = self._table[stored]
        if mapped.min() == _INVALID:
            raise UserError(f"{name}: {self._complaint(stored[mapped == _INVALID])}")
        classes: np.ndarray = mapped.astype(np.uint8)
        return classes

    def lookup(self, stored: np.ndarray) -> np.ndarray:
        """Return class indices, uint8 [H, W]; what stands for no class is ignored."""
        mapped = self._table[self._codes(stored)]
        return np.where(mapped == _INVALID, IGNORED, mapped).astype(np.uint8)

    def _codes(self, stored: np.ndarray) -> np.ndarray:
        if not self.colours:
            return stored
        red, green, blue = (stored[..., channel].astype(np.int32) for channel in range(3))
        return red << 16 | green << 8 | blue

    def _complaint(self, wrong: np.ndarray) -> str:
        values, counts = np.unique(wrong, return_counts=True)
        value, count = int(values[counts.argmax()]), int(counts.max())
        if self.colours:
            colour = (value >> 16, value >> 8 & 255, value & 255)
            return f"colour {colour} ({count} pixels) is no class's colour; see `palette` and `ignore` in dataset.yaml"
        kept = sorted(v for v, index in self.values.items() if index != IGNORED)
        ignored = sorted(v for v, index in self.values.items() if index == IGNORED)
        return (
            f"label value {value} ({count} pixels) stands for no class; "
            f"the classes are {_ranges(kept)}, ignored is {_ranges(ignored)}"
        )


MapOf: TypeAlias = Callable[[Classes], LabelMap]
"""What values stand for, once the classes are known."""


class Meaning(NamedTuple):
    """What is known about the labels of a data set, whatever its files are."""

    classes: Classes
    label_map: LabelMap
    exif_orientation: str = "auto"
    """`apply` it to the images, `ignore` it, or `auto`: apply it unless the label fits only the stored pixels."""


def _count(classes: Classes) -> int:
    if len(classes) > IGNORED:
        raise UserError(f"{len(classes)} classes; at most {IGNORED} are possible, as {IGNORED} marks ignored pixels")
    return len(classes)


def _code(red: int, green: int, blue: int) -> int:
    return red << 16 | green << 8 | blue


def _ranges(values: list[int]) -> str:
    """Write sorted integers briefly: 0 .. 10, 12."""
    parts: list[list[int]] = []
    for value in values:
        if parts and value == parts[-1][-1] + 1:
            parts[-1].append(value)
        else:
            parts.append([value])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]} .. {p[-1]}" for p in parts) or "none"
