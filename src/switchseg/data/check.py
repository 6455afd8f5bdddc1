"""Looking through a whole data set for what would stop a training, or quietly spoil it."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields

import cv2
import numpy as np

from switchseg.data.dataset import Record, StoredDataset
from switchseg.data.images import FORMATS, opened, orientation_of, stored_size
from switchseg.data.label_files import read_label
from switchseg.data.labels import LabelMap, Meaning
from switchseg.data.paths import has_suffix, printable
from switchseg.errors import UserError
from switchseg.labels import IGNORED
from switchseg.plugins import WithPlugins
from switchseg.system import START_METHOD

_CHUNK = 16  # samples that a process looks at before it reports
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


def inspect(dataset: StoredDataset, workers: int) -> Iterator[Findings]:
    """Read every sample in `workers` processes and yield what was found, some samples at a time."""
    chunks = [range(start, min(start + _CHUNK, len(dataset))) for start in range(0, len(dataset), _CHUNK)]
    # Not forked: a progress bar runs a thread of its own.
    context = multiprocessing.get_context(START_METHOD)
    with ProcessPoolExecutor(workers, context, _start, (WithPlugins(dataset),)) as pool:
        yield from pool.map(_inspect, chunks)


_dataset: StoredDataset


def _start(dataset: WithPlugins[StoredDataset]) -> None:
    global _dataset
    # `workers` says how many cores are used; threads of OpenCV's own would compete with these processes.
    cv2.setNumThreads(0)
    _dataset = dataset.value


def _inspect(chunk: range) -> Findings:
    found = Findings(images=len(chunk))
    for index in chunk:
        try:
            record = _dataset.record(index)
            found.names[record.name] += 1
            found.files[printable(record.image_name)] += 1
            if record.label is None:
                found.unlabelled += 1
                raise UserError(
                    f"{record.image_name}: an image without label cannot be trained on; label it or take it out"
                )
            shape = _count(found, record)
            _compare_sizes(found, record, shape)
            found.sizes[_dataset.read(index).image.shape[:2]] += 1
        except UserError as error:
            found.problems.append(printable(str(error)))
    return found


def _count(found: Findings, record: Record) -> tuple[int, ...]:
    """Count the values of one label as they are stored, and return its height and width."""
    assert record.label is not None
    if has_suffix(record.label_name, FORMATS["JPEG"]):
        found.lossy[record.label_name] += 1
    try:
        stored = read_label(record.label, record.label_name, _dataset.label_map.colours)
    except UserError as error:
        try:
            stored = read_label(record.label, record.label_name, colours=True)
        except UserError:
            raise error from None
    shape = stored.shape[:2]
    if stored.ndim == 3:
        red, green, blue = np.moveaxis(stored.astype(np.int32), -1, 0)
        counted = _counted(red << 16 | green << 8 | blue)
        found.colours.update(counted)
        found.images_with_colour.update(counted.keys())
        return shape
    counted = _counted(stored)
    found.values.update(counted)
    found.images_with.update(counted.keys())
    found.edges.update(_counted(stored[:, :-1][stored[:, :-1] != stored[:, 1:]]))
    return shape


def _compare_sizes(found: Findings, record: Record, label: tuple[int, ...]) -> None:
    """Look which pixels a label was drawn on, if the EXIF entry of its image makes a difference."""
    with opened(record.image, record.image_name) as image:
        if image.format == "PNG" and "exif" not in image.info:
            # To look for it further back, the whole file would have to be decoded.
            return
        orientation, (width, height) = orientation_of(image), stored_size(image)
    if orientation != 1:
        upright = (width, height) if orientation >= 5 else (height, width)
        fits = [name for name, size in (("upright", upright), ("stored", (height, width))) if size == label]
        found.drawn_on["either" if len(fits) == 2 else "".join(fits) or "neither"] += 1


def _counted(stored: np.ndarray) -> dict[int, int]:
    values, counts = np.unique(stored, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))


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
