"""Image and label folders that hold the same tree of files."""

from __future__ import annotations

import logging
import os
from functools import partial
from pathlib import Path
from typing import NamedTuple

from switchseg.data.dataset import Record
from switchseg.data.described import CLASS_FILES
from switchseg.data.file_dataset import FileDataset, sample_name
from switchseg.data.images import FORMATS, SUFFIXES
from switchseg.data.labels import Meaning
from switchseg.data.paths import common_folder, describe_suffixes, files_below, has_suffix
from switchseg.data.readers.endings import PLAIN, Ending, Endings
from switchseg.data.records import Lines
from switchseg.errors import UserError

_SHOWN = 3
_log = logging.getLogger(__name__)


class Listing(NamedTuple):
    """What lies below a folder."""

    files: dict[str, str]
    """{path without its ending: path} of the image files, relative to the folder."""
    left_out: list[str]
    """Files that are no images by their suffix."""


def open_pairs(
    name: str, images: Path, labels: Path, meaning: Meaning, endings: Endings = (PLAIN, PLAIN)
) -> FileDataset:
    """Pair the images below one folder with the labels below another by their path without its ending.

    If `labels` does not exist the images have no labels; if it is the folder of the images, its labels are what has
    their ending. `incomplete` of what is returned says which images have none, if others have one.

    Raises:
        UserError: there is no image, none has a label, or two files of a folder differ only in their suffix.
    """
    image_ending, label_ending = endings
    beside = label_ending if images == labels and label_ending.word else None
    found, left_out = list_images(images, image_ending, beside)
    if not found:
        there = f"; there is {describe_suffixes(left_out)}" if left_out else ""
        sought = ", ".join(f"*{image_ending.word}{suffix}" for suffix in _suffixes(image_ending))
        raise UserError(f"{images}: no images ({sought}){there}")
    if left_out := [path for path in left_out if path not in CLASS_FILES]:
        _log.warning("%s: left out what is no image by its suffix: %s", images, describe_suffixes(left_out))
    partners, missing = _partners(labels, label_ending, images, found) if labels.is_dir() else ({}, "")
    if lossy := [path for path in partners.values() if has_suffix(path, FORMATS["JPEG"])]:
        _log.warning("%s: %d labels are JPEG files, whose compression changes label values", labels, len(lossy))
    # Parted by a zero byte, the only one besides the slash that no file name can hold.
    lines = Lines.pack(f"{path}\0{partners.get(stem, '')}" for stem, path in sorted(found.items()))
    locate = partial(_locate, str(images), str(labels), common_folder(found.values()), image_ending.word)
    dataset = FileDataset(name, meaning, lines, locate)
    dataset.incomplete = missing
    if partners and endings != (PLAIN, PLAIN):
        dataset.pairing = f"images {image_ending}, labels {label_ending}"
    return dataset


def complete_ending(images: tuple[Path, Ending], labels: Path, endings: tuple[Ending, ...]) -> Ending:
    """Return the first of the label endings that every image, a folder and an ending, has a label of.

    Where none is complete, it is the one that most images have a label of.
    """
    stems = list_images(*images).files.keys()
    counts = {ending: len(stems & list_images(labels, ending).files.keys()) for ending in endings}
    # The first of equal ones, which is why the preferred ending is given first.
    return max(counts, key=lambda ending: counts[ending])


def list_images(folder: Path, ending: Ending = PLAIN, without: Ending | None = None) -> Listing:
    """Return the image files below `folder` whose names have one ending and have not the other.

    Raises:
        UserError: two files differ only in their suffix.
    """
    listing = Listing({}, [])
    for path in files_below(folder) if folder.is_dir() else ():
        stem = _stem(path, ending)
        if stem is None or (without and _stem(path, without) is not None):
            if not has_suffix(path, SUFFIXES):
                listing.left_out.append(path)
            continue
        # The names are kept as lines of one text.
        if "\n" in path:
            raise UserError(f"{str(folder / path)!r}: a line break in a file's name; rename it")
        if stem in listing.files:
            other = listing.files[stem]
            raise UserError(
                f"{folder / path}: {other} has the same stem, by which images and labels are matched; keep one"
            )
        listing.files[stem] = path
    return listing


def _stem(path: str, ending: Ending) -> str | None:
    """Return the path without the ending and, unless the ending has one, its suffix; None if it ends otherwise."""
    if not has_suffix(path, _suffixes(ending)):
        return None
    stem = os.path.splitext(path)[0]
    return stem.removesuffix(ending.word) if stem.endswith(ending.word) else None


def _suffixes(ending: Ending) -> tuple[str, ...]:
    if ending.suffix in FORMATS["JPEG"]:
        return FORMATS["JPEG"]
    return (ending.suffix,) if ending.suffix else SUFFIXES


def _partners(labels: Path, ending: Ending, images: Path, found: dict[str, str]) -> tuple[dict[str, str], str]:
    """Return the labels by stem, and a line about the images that have none; raise it if no image has one."""
    listed, left_out = list_images(labels, ending)
    partners = {stem: listed[stem] for stem in found if stem in listed}
    missing = sorted(found.keys() - partners.keys())
    # Beside the images, what is no label is an image.
    alone = sorted(listed[stem] for stem in listed.keys() - found.keys()) if images != labels else []
    if alone and partners:
        _log.warning("%s: %d of %d labels have no image, left out: %s", labels, len(alone), len(listed), _some(alone))
    if not missing:
        return partners, ""
    wanted = f"{labels / missing[0]}{ending.word}{ending.suffix or '.png'}"
    line = (
        f"{images / found[missing[0]]}: an image without label, {wanted} is missing "
        f"({len(missing)} of {len(found)} images have none: {_some(missing)})"
    )
    if partners:
        return partners, line
    if alone:
        raise UserError(f"{line}; {labels} holds {_some(alone)}, whose names do not fit")
    raise UserError(f"{line}; {labels} holds {describe_suffixes(left_out)}, which are not read" if left_out else line)


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + ", ..." * (len(names) > _SHOWN)


def _locate(images: str, labels: str, folder: str, word: str, line: str) -> Record:
    image, _, label = line.partition("\0")
    image_path, label_path = f"{images}/{image}", f"{labels}/{label}"
    name = sample_name(image, folder, word)
    return Record(image_path, label_path if label else None, name, image_path, label_path)
