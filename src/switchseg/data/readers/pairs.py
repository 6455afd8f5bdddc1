"""Image and label folders that hold the same tree of files."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from switchseg.data.classes import Classes
from switchseg.data.dataset import FileDataset, Record, sample_name
from switchseg.data.images import SUFFIXES
from switchseg.data.labels import LabelMap
from switchseg.data.paths import common_folder, files_below
from switchseg.data.records import Lines
from switchseg.errors import UserError

_SHOWN = 3


def open_pairs(
    name: str,
    images: Path,
    labels: Path,
    classes: Classes,
    label_map: LabelMap,
    endings: tuple[str, str] = ("", ""),
) -> FileDataset:
    """Pair the images below one folder with the labels below another by their path without its ending.

    An empty ending stands for any suffix of an image file. If `labels` does not exist the images have no labels.

    Raises:
        UserError: there is no image, an image has no label, or two files of a folder differ only in their suffix.
    """
    image_ending, label_ending = endings
    found = files_by_stem(images, image_ending)
    if not found:
        raise UserError(f"{images}: no images (*{image_ending or ', *'.join(SUFFIXES)})")
    partners = files_by_stem(labels, label_ending) if labels.is_dir() else None
    if partners is not None and (missing := sorted(found.keys() - partners.keys())):
        raise UserError(
            f"{images / found[missing[0]]}: an image without label, {labels / missing[0]}{label_ending or '.png'} "
            f"is missing ({len(missing)} of {len(found)} images have none: {', '.join(missing[:_SHOWN])})"
        )
    lines = Lines.pack(f"{path}\0{partners[stem] if partners else ''}" for stem, path in sorted(found.items()))
    locate = partial(_locate, str(images), str(labels), common_folder(found.values()), image_ending)
    return FileDataset(name, classes, lines, locate, label_map)


def files_by_stem(folder: Path, ending: str = "") -> dict[str, str]:
    """Return {path without ending: path} of the image files below `folder`, both relative to it.

    Raises:
        UserError: two files differ only in their suffix.
    """
    found: dict[str, str] = {}
    for path in files_below(folder):
        stem, suffix = (path.removesuffix(ending), ending) if ending else os.path.splitext(path)
        if not path.endswith(ending) or not (ending or suffix.lower() in SUFFIXES):
            continue
        if "\n" in path:
            raise UserError(f"{folder / path!r}: a line break in a file's name; rename it")
        if stem in found:
            raise UserError(f"{folder / path}: {found[stem]} has the same stem; images and labels are matched by stem")
        found[stem] = path
    return found


def _locate(images: str, labels: str, folder: str, ending: str, line: str) -> Record:
    image, _, label = line.partition("\0")
    image_path, label_path = f"{images}/{image}", f"{labels}/{label}"
    return Record(image_path, label_path if label else None, sample_name(image, folder, ending), image_path, label_path)
