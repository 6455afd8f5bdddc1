"""Looking through a whole data set for what would stop a training, or quietly spoil it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import cv2
import numpy as np

from switchseg.data.dataset import Record, StoredDataset
from switchseg.data.findings import Findings
from switchseg.data.images import FORMATS, opened, orientation_of, stored_size
from switchseg.data.label_files import read_label
from switchseg.data.paths import has_suffix, printable
from switchseg.errors import UserError
from switchseg.plugins import WithPlugins
from switchseg.system import START_METHOD

_CHUNK = 16  # samples that a process looks at before it reports


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
