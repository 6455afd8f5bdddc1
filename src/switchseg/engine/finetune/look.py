"""Looking at a folder: which data set it is, whether its labels can be read, and the dataset.yaml that it takes."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from switchseg import files
from switchseg.data.advice import is_unnamed
from switchseg.data.dataset import StoredDataset, existing_folder
from switchseg.data.described import SETTINGS
from switchseg.data.proposal import meaning_with, written
from switchseg.engine.survey import Place, Survey, survey
from switchseg.errors import UserError

LAYOUTS = {
    "camvid": ("train", "trainannot"),
    "cityscapes": ("leftImg8bit", "gtFine"),
    "coco_stuff": ("images/train2017", "annotations/train2017"),
    "scenes": ("scenes.json",),
    "voc": ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation/train.txt"),
}
"""What lies in the folder of data sets that are known by their layout; every other folder is a `folder`."""

MOST_SAID = 12
"""Classes that are listed; of more, how many there are."""


@dataclass(frozen=True)
class Found:
    """What a folder holds, once its labels can be read."""

    dataset: str
    """A name of `DATASETS`."""
    root: Path
    train: StoredDataset
    validation: StoredDataset | None
    """None where there is no validation split: a part of the training images takes its place."""
    sizes: np.ndarray
    """(height, width) of the training images in pixels, int32 [n, 2]."""
    written: Path | None
    """The dataset.yaml that was written, None where none was needed."""

    @property
    def typical_size(self) -> tuple[int, int]:
        """Median height and width in pixels."""
        # The median: a few panoramas among photographs would move a mean.
        height, width = np.median(self.sizes, axis=0)
        return int(height), int(width)

    def to_json(self) -> dict[str, Any]:
        """Return what is recorded of it."""
        return {
            "dataset": self.dataset,
            "root": str(self.root),
            "training_images": len(self.train),
            "validation_images": len(self.validation) if self.validation else None,
            "classes": list(self.train.classes.names),
            "typical_size": list(self.typical_size),
            "dataset_yaml": str(self.written) if self.written else None,
        }


def look(folder: Path, dataset: str | None, workers: int, say: Callable[[str], None]) -> Found:
    """Read all of a folder, and write the dataset.yaml that makes its labels readable where there is none.

    Args:
        folder: The data set's folder.
        dataset: A name of `DATASETS`; None tells it from the folder's layout.
        workers: Processes that read.
        say: Is told what was found, a line each.

    Raises:
        UserError: there is no training split, or files or labels cannot be used; says how many, and the mend.
    """
    root = existing_folder(folder)
    name = dataset or recognise(root)
    seen = survey(Place(name, root), workers, "finetune")
    if "train" not in seen.datasets:
        there = ", ".join(seen.datasets)
        raise UserError(f"{root}: a split {there} and no `train`; rename the folder of the images to train on")
    seen, description = _mended(seen, root, workers, say)
    _require_usable(seen, name, root)
    # Written only once everything can be used: a refused folder stays as it was.
    path = None
    if description is not None:
        path = root / SETTINGS
        files.write_text(path, written(description, ["Proposed by `switchseg finetune`: look whether it is meant."]))
        say(f"labels: written to {path}; look whether this is what they mean, and give the classes their names")
    validation = seen.datasets.get("val")
    found = Found(name, root, seen.datasets["train"], validation, seen.datasets["train"].sizes(), path)
    _tell(found, seen, say)
    return found


def recognise(root: Path) -> str:
    """Return the name of the data set that has this layout."""
    for name, paths in LAYOUTS.items():
        if all((root / path).exists() for path in paths):
            return name
    return "folder"


def _mended(seen: Survey, root: Path, workers: int, say: Callable[[str], None]) -> tuple[Survey, dict[str, Any] | None]:
    """Return the survey as the likeliest reading of the labels has it, and the dataset.yaml of that reading."""
    settings = seen.proposal()
    if settings == seen.settings:
        return seen, None
    needed = [advice for advice in seen.advices() if advice.readings and not advice.optional]
    if is_unnamed(seen.meaning.classes):
        say(f"labels: nobody says what the classes are called; {root / 'classes.txt'} would, a name a line")
    for advice in needed:
        say(f"labels: {advice.seen}")
        say(f"labels: taken as {advice.readings[0]}".replace("\n", "; "))
    # Somebody's description is never replaced by a guess; the guess is told instead.
    if (root / SETTINGS).exists():
        if not needed:  # nothing is amiss but that the classes have no names
            raise UserError(f"{root / SETTINGS}: give the classes their names, in classes.txt or here under `classes:`")
        raise UserError(f"{root / SETTINGS}: {needed[0].seen} Write there: {needed[0].readings[0]}".replace("\n", "; "))
    # Told before the labels are read anew, which may take long.
    if not os.access(root, os.W_OK):
        raise UserError(f"{root}: needs a {SETTINGS}, and cannot be written to; copy the folder to where it can be")
    return seen.read_as(meaning_with(settings, seen.meaning), settings, workers), settings


def _require_usable(seen: Survey, name: str, root: Path) -> None:
    check = f"`switchseg check-data --dataset {name} --root {shlex.quote(str(root))}` shows them all"
    # What explains all problems before the first of them.
    for advice in seen.advices():
        if advice.stops:
            raise UserError(f"{root}: {advice.seen} {advice.remedy or advice.readings[0]}")
    if seen.found.problems:
        problems, first = seen.found.problems, seen.found.problems[0]
        raise UserError(f"{first} ({len(problems)} of {seen.found.images} images cannot be trained on; {check})")
    if len(seen.datasets["train"]) < 2 and "val" not in seen.datasets:
        raise UserError(f"{root}: one image; at least two are needed, one to train on and one to evaluate on")


def _tell(found: Found, seen: Survey, say: Callable[[str], None]) -> None:
    height, width = found.typical_size
    parts = ", ".join(f"{len(dataset)} {split}" for split, dataset in seen.datasets.items())
    say(f"found: {found.dataset} data set, {parts} images, typically {width}x{height} pixels")
    for pairing in seen.pairings:
        say(f"found: matched by name: {pairing}")
    pixels = seen.found.class_pixels(seen.meaning)
    names = [
        f"{name} {share:.1%}"
        for name, share in zip(seen.meaning.classes.names, pixels / max(1, pixels.sum()), strict=True)
    ]
    shown = ", ".join(names[:MOST_SAID]) + (f" and {len(names) - MOST_SAID} more" if len(names) > MOST_SAID else "")
    say(f"found: {len(names)} classes: {shown}")
    # What would stop the training has done so.
    for advice in seen.advices():
        mend = advice.remedy or f"To change it, in {SETTINGS}: {advice.readings[0]}"
        say(f"found: {advice.seen} {mend}".replace("\n", "; "))
