"""Image and label folders that hold the same tree of files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from switchseg.data.classes import Classes
from switchseg.data.dataset import FileDataset, Record, sample_name
from switchseg.data.images import SUFFIXES
from switchseg.data.labels import LabelMap
from switchseg.data.records import Lines, common_folder
from switchseg.errors import UserError

_SHOWN = 3


def open_pairs(
    name: str,
    images: Path,
    labels: Path,
    classes: Classes,
    label_map: LabelMap,
    image_ending: str = "",
    label_ending: str = "",
) -> FileDataset:
    """Pair the images below one folder with the labels below another by their path without its ending.

    An empty ending stands for any suffix of an image file. If `labels` does not exist the images have no labels.

    Raises:
        UserError: there is no image, an image has no label, or two files of a folder differ only in their suffix.
    """
    found = _by_stem(images, image_ending)
    if not found:
        raise UserError(f"{images}: no images (*{image_ending or ', *'.join(SUFFIXES)})")
    partners = _by_stem(labels, label_ending) if labels.is_dir() else None
    if partners is not None and (missing := sorted(found.keys() - partners.keys())):
        raise UserError(
            f"{images / found[missing[0]]}: an image without label, {labels / missing[0]}{label_ending or '.png'} "
            f"is missing ({len(missing)} of {len(found)} images have none: {', '.join(missing[:_SHOWN])})"
        )
    folder = common_folder(found.values())
    lines = Lines.pack(f"{path}\t{partners[stem] if partners else ''}" for stem, path in sorted(found.items()))
    return FileDataset(
        name, classes, lines, partial(_locate, str(images), str(labels), folder, image_ending), label_map
    )


def walk(folder: Path) -> Iterable[str]:
    """Yield the files below `folder` as paths relative to it, through symbolic links but never twice into a folder."""
    seen = set()
    for current, folders, files in os.walk(folder, followlinks=True):
        status = os.stat(current)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders.sort()
        prefix = os.path.relpath(current, folder)
        for file in sorted(files):
            yield file if prefix == "." else f"{prefix}/{file}"


def _by_stem(folder: Path, ending: str) -> dict[str, str]:
    """Return {path without ending: path} of the image files below `folder`."""
    found: dict[str, str] = {}
    for path in walk(folder):
        if path.rpartition("/")[2].startswith("."):
            continue
        if ending:
            if not path.endswith(ending):
                continue
            stem = path.removesuffix(ending)
        else:
            stem, suffix = os.path.splitext(path)
            if suffix.lower() not in SUFFIXES:
                continue
        if stem in found:
            raise UserError(f"{folder / path}: {found[stem]} has the same stem; images and labels are matched by stem")
        found[stem] = path
    return found


def _locate(images: str, labels: str, folder: str, ending: str, line: str) -> Record:
    image, _, label = line.partition("\t")
    return Record(f"{images}/{image}", f"{labels}/{label}" if label else None, sample_name(image, folder, ending))
