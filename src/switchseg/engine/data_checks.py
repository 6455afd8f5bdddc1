"""What would end a training after its work was done, or make it worthless, looked for before it begins."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from switchseg.data.composed import JoinedDataset, Subset
from switchseg.data.config import DataConfig
from switchseg.data.dataset import Dataset, StoredDataset
from switchseg.data.sample import Sample
from switchseg.distributed import World
from switchseg.engine.class_order import match_classes
from switchseg.engine.progress import progress
from switchseg.errors import UserError
from switchseg.labels import IGNORED

T = TypeVar("T")

_log = logging.getLogger(__name__)


def require_apart(dataset: Dataset, folder: Path | None) -> None:
    """Raise a UserError if the folder, where files are to be written, is that of the data set's images or labels.

    They would be taken for images and labels, or take their place. The first sample is looked at.
    """
    if folder is None or not isinstance(dataset, StoredDataset) or not len(dataset):
        return
    record = dataset.record(0)
    for source in (record.image, record.label):
        if isinstance(source, (str, os.PathLike)) and os.path.realpath(folder) == os.path.realpath(Path(source).parent):
            raise UserError(f"{folder}: files of the data set {dataset.name} lie there; another folder was expected")


def require_two_classes(dataset: Dataset) -> None:
    """Read labels until two classes are found; one image is usually enough.

    Raises:
        UserError: there is only one class, in the list or in all labels: every model would be perfect; or none in
            the labels.
    """
    check = "`switchseg check-data` shows what the values are"
    if len(dataset.classes) < 2:
        raise UserError(
            f"data set {dataset.name}: one class, {dataset.classes.names[0]!r}; a training needs two or more, so give "
            f"the rest of the image a name too; {check}"
        )
    found, unread = set[int](), 0
    # In a random order: files of a folder are often sorted by what they show. Seeded, so that all ranks agree.
    for index in np.random.default_rng(0).permutation(len(dataset)).tolist():
        try:
            label = dataset.read(index).label
        except UserError:
            label = None  # told when its turn comes
        if label is None:
            unread += 1
        else:
            found |= set(np.unique(label).tolist()) - {IGNORED}
        if len(found) > 1:
            return
    if not found and not unread:
        raise UserError(f"data set {dataset.name}: its {len(dataset)} labels hold no class, all is ignored; {check}")
    if found:
        name = dataset.classes.names[found.pop()]
        raise UserError(
            f"data set {dataset.name}: its {len(dataset)} labels hold no class but {name!r}, all other pixels are "
            f"ignored; a training needs two or more; {check}"
        )


def readable(dataset: Dataset, trained_on: Dataset, config: DataConfig, world: World) -> Dataset:
    """Read every sample of the evaluation split once, each rank its share, and return what a run can be scored on.

    With `data.on_error: skip` samples that cannot be used are left out, each with a warning. Every rank must call it.

    Raises:
        UserError: a sample cannot be used, or none can; or the classes are not those of `trained_on`.
    """
    match_classes(trained_on.classes, dataset, tell=world.is_main)
    if world.is_main and same_images(trained_on, dataset):
        _log.warning("the evaluation split has the images of the training split; scores tell nothing about others")

    def require_label(sample: Sample) -> None:
        if sample.label is None:
            raise UserError(f"{sample.name}: an image without label cannot be evaluated on")

    _, faults = look_through(dataset, require_label, config, world, "validation")
    if not faults:
        return dataset
    first = next(iter(faults.values()))
    # All of them unusable is no data set to go on with, whatever `on_error` says.
    if config.on_error == "stop" or len(faults) == len(dataset):
        others = f" ({len(faults)} of {len(dataset)} images of the evaluation split cannot be used)"
        raise UserError(f"{first}{others if len(faults) > 1 else ''}")
    for reason in faults.values() if world.is_main else ():
        _log.warning("left out of the evaluation: %s", reason)
    return Subset(dataset, [index for index in range(len(dataset)) if index not in faults])


def look_through(
    dataset: Dataset, look: Callable[[Sample], T], config: DataConfig, world: World, title: str
) -> tuple[list[T], dict[int, str]]:
    """Read every sample of a data set once, each rank its share. Every rank must call it.

    Returns:
        What `look` returned of this rank's samples, and for each sample of any rank that cannot be read, or of which
        `look` raised a UserError, the reason.
    """

    def attempt(index: int) -> T | UserError:
        try:
            return look(dataset.read(index))
        except UserError as error:
            return error

    # Each rank reads its share; faults of all are gathered, for all must raise or go on together.
    own = range(world.rank, len(dataset), world.size)
    found: list[T] = []
    faults: list[tuple[int, str]] = []
    # A bar for whoever waits; a log needs no line about it.
    shown = world.is_main and sys.stderr.isatty()
    with ThreadPoolExecutor(max(1, config.workers)) as pool, progress(title, len(own), shown=shown) as count:
        for index, result in zip(own, pool.map(attempt, own), strict=True):
            if isinstance(result, UserError):
                faults.append((index, str(result)))
            else:
                found.append(result)
            count(1)
    return found, dict(sorted(fault for part in world.gather(faults) for fault in part))


def same_images(one: Dataset, other: Dataset) -> bool:
    """Return whether two splits are the same, as in a folder that has none, or `other` is a part of `one`.

    Told from their lengths and from their first and last images: no file is read.
    """
    if isinstance(one, JoinedDataset):
        return any(same_images(part, other) for part in one.parts)
    if not (isinstance(one, StoredDataset) and isinstance(other, StoredDataset)) or len(one) != len(other):
        return False
    return bool(len(one)) and all(one.record(place) == other.record(place) for place in (0, len(one) - 1))
