"""Looking through a whole data set for what would stop a training, or quietly spoil it."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields

import cv2
import numpy as np

from switchseg.data.classes import IGNORED
from switchseg.data.dataset import StoredDataset
from switchseg.data.label_files import read_label
from switchseg.errors import UserError

_CHUNK = 16  # samples that a process looks at before it reports


@dataclass
class Findings:
    """What was found in some samples of a data set, or in all."""

    images: int = 0
    problems: list[str] = field(default_factory=list)
    """One line for each sample that training would stop at."""
    values: Counter[int] = field(default_factory=Counter)
    """Stored label value -> pixels; with colour masks the value is red << 16 | green << 8 | blue."""
    images_with: Counter[int] = field(default_factory=Counter)
    """Stored label value -> images it occurs in."""
    colours: Counter[int] = field(default_factory=Counter)
    """Colour -> pixels, of labels that hold colours although class indices were expected."""
    lossy: Counter[str] = field(default_factory=Counter)
    """Label files that are stored as JPEG."""
    names: Counter[str] = field(default_factory=Counter)
    """Name of the sample -> how many have it."""
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    """(height, width) in pixels -> images."""

    def add(self, other: Findings) -> None:
        """Take in the findings of further samples."""
        self.images += other.images
        self.problems += other.problems
        for key in (f.name for f in fields(self) if isinstance(getattr(self, f.name), Counter)):
            getattr(self, key).update(getattr(other, key))

    def class_pixels(self, dataset: StoredDataset) -> np.ndarray:
        """Return the labelled pixels of each class, int64 [C]."""
        pixels = np.zeros(len(dataset.classes), np.int64)
        for value, count in self.values.items():
            index = dataset.label_map.values.get(value, IGNORED)
            if index != IGNORED:
                pixels[index] += count
        return pixels

    def class_images(self, dataset: StoredDataset) -> np.ndarray:
        """Return in how many images each class occurs, int64 [C]; an upper bound where values share a class."""
        images = np.zeros(len(dataset.classes), np.int64)
        for value, count in self.images_with.items():
            index = dataset.label_map.values.get(value, IGNORED)
            if index != IGNORED:
                images[index] += count
        return images


def inspect(dataset: StoredDataset, workers: int) -> Iterator[Findings]:
    """Read every sample in `workers` processes and yield what was found, some samples at a time."""
    chunks = [range(start, min(start + _CHUNK, len(dataset))) for start in range(0, len(dataset), _CHUNK)]
    # Not forked: a progress bar runs a thread of its own.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("forkserver"), _start, (dataset,)) as pool:
        yield from pool.map(_inspect, chunks)


_dataset: StoredDataset


def _start(dataset: StoredDataset) -> None:
    global _dataset
    cv2.setNumThreads(0)
    _dataset = dataset


def _inspect(chunk: range) -> Findings:
    found = Findings(images=len(chunk))
    for index in chunk:
        try:
            record = _dataset.record(index)
            found.names[record.name] += 1
            if record.label is None:
                raise UserError(f"{record.image_name}: an image without label cannot be trained on")
            _count(found, index)
            found.sizes[_dataset.read(index).image.shape[:2]] += 1
        except UserError as error:
            found.problems.append(str(error))
    return found


def _count(found: Findings, index: int) -> None:
    """Count the values of one label as they are stored."""
    record, expected = _dataset.record(index), _dataset.label_map.colours
    assert record.label is not None
    if record.label_name.lower().endswith((".jpg", ".jpeg")):
        found.lossy[record.label_name] += 1
    try:
        stored = read_label(record.label, record.label_name, expected)
    except UserError:
        stored = read_label(record.label, record.label_name, colours=True)  # raises again if it is the file itself
    if stored.ndim == 3:
        red, green, blue = np.moveaxis(stored.astype(np.int32), -1, 0)
        stored = red << 16 | green << 8 | blue
        if not expected:
            found.colours.update(_counted(stored))
            return
    counted = _counted(stored)
    found.values.update(counted)
    found.images_with.update(counted.keys())


def _counted(stored: np.ndarray) -> dict[int, int]:
    values, counts = np.unique(stored, return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
