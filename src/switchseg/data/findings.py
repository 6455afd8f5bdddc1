"""What was found in the samples of a data set, counted so that findings add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields

import numpy as np

from switchseg.data.labels import LabelMap, Meaning
from switchseg.labels import IGNORED

_GREY = 0x010101  # from a grey level to the value of its colour


@dataclass
class Findings:
    """What was found in some samples of a data set, or in all."""

    images: int = 0
    unlabelled: int = 0
    """Images without a label."""
    problems: list[str] = field(default_factory=list)
    """One line for each sample that training would stop at."""
    values: Counter[int] = field(default_factory=Counter)
    """Stored label value -> pixels, of labels that hold values."""
    edges: Counter[int] = field(default_factory=Counter)
    """Stored label value -> pixels whose right neighbour has another value."""
    images_with: Counter[int] = field(default_factory=Counter)
    """Stored label value -> images it occurs in."""
    colours: Counter[int] = field(default_factory=Counter)
    """Colour, as red << 16 | green << 8 | blue -> pixels, of labels that hold colours."""
    images_with_colour: Counter[int] = field(default_factory=Counter)
    """Colour -> images it occurs in."""
    lossy: Counter[str] = field(default_factory=Counter)
    """Label files that are stored as JPEG."""
    names: Counter[str] = field(default_factory=Counter)
    """Name of the sample -> how many have it."""
    files: Counter[str] = field(default_factory=Counter)
    """Image file -> how often it is listed."""
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(height, width) in pixels -> images."""
    drawn_on: Counter[str] = field(default_factory=Counter)
    """Of images with an EXIF orientation: whether the label has the size of the `upright` image, that of the `stored`
    pixels, `either` where these are the same, or `neither`."""

    def add(self, other: Findings) -> None:
        """Take in the findings of further samples."""
        for key in (f.name for f in fields(self)):
            mine, theirs = getattr(self, key), getattr(other, key)
            if isinstance(mine, Counter):
                mine.update(theirs)
            else:
                setattr(self, key, mine + theirs)

    def add_split(self, other: Findings) -> None:
        """Take in the findings of another split, in which names may occur again."""
        # Splits keep their results apart: only within one of them would images of one name overwrite each other.
        names = self.names | other.names  # the larger of the counts
        self.add(other)
        self.names = names

    def stored(self, label_map: LabelMap) -> Counter[int]:
        """Return the pixels of each value that `label_map` would be given."""
        return _as_expected(self.values, self.colours, label_map)

    def class_pixels(self, meaning: Meaning) -> np.ndarray:
        """Return the labelled pixels of each class, int64 [C]."""
        return _per_class(self.stored(meaning.label_map), meaning)

    def class_images(self, meaning: Meaning) -> np.ndarray:
        """Return in how many images each class occurs, int64 [C]; an upper bound where values share a class."""
        return _per_class(_as_expected(self.images_with, self.images_with_colour, meaning.label_map), meaning)


def _as_expected(values: Counter[int], colours: Counter[int], label_map: LabelMap) -> Counter[int]:
    if not label_map.colours:
        return values
    # A grey file among colour masks is read as a colour whose channels are equal.
    return colours + Counter({value * _GREY: count for value, count in values.items() if value <= 255})


def _per_class(stored: Counter[int], meaning: Meaning) -> np.ndarray:
    counts = np.zeros(len(meaning.classes), np.int64)
    for value, count in stored.items():
        index = meaning.label_map.values.get(value, IGNORED)
        if index != IGNORED:
            counts[index] += count
    return counts
