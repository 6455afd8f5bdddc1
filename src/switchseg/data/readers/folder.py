"""Folders of images and labels, matched by their names; and lists of image and label pairs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from switchseg.data.dataset import Record, existing_folder
from switchseg.data.described import meaning_of
from switchseg.data.file_dataset import FileDataset, file_record, sample_name
from switchseg.data.images import SUFFIXES
from switchseg.data.labels import Meaning
from switchseg.data.paths import common_folder, has_suffix, inside, with_slashes
from switchseg.data.readers.layouts import find_layout
from switchseg.data.readers.odgt import read_odgt
from switchseg.data.readers.pairs import open_pairs
from switchseg.data.records import read_lines
from switchseg.data.splits import canonical_split
from switchseg.errors import UserError


def open_folder(root: str | Path, split: str, list_file: str | Path | None = None) -> FileDataset:
    """Open the images and labels that `layouts.find_layout` finds, or those of a list.

    Classes stand in ROOT/classes.txt or ROOT/dataset.yaml; label values are class indices and 255 is ignored unless
    dataset.yaml says else. `list_file` is an odgt list, or holds `image label` a line, relative to `root`.
    """
    root = existing_folder(root)
    return open_undescribed(root, split, list_file, meaning_of(root))


def open_undescribed(root: Path, split: str, list_file: str | Path | None, meaning: Meaning) -> FileDataset:
    """Open the folders with classes and label values from elsewhere."""
    if list_file:
        list_file = Path(list_file)
        # Among all suffixes, since a list may be compressed: train.odgt.gz.
        if ".odgt" in list_file.suffixes or list_file.suffix == ".jsonl":
            return read_odgt("folder", root, list_file, meaning)
        return _read_pair_list(root, list_file, meaning)
    layout = find_layout(root, canonical_split(split))
    return open_pairs("folder", layout.images, layout.labels, meaning, layout.endings)


def _read_pair_list(root: Path, list_file: Path, meaning: Meaning) -> FileDataset:
    extremes: list[str] = []

    def visit(lines: list[str]) -> None:
        images = []
        for line in lines:
            image, label = _pair(line, str(list_file))
            inside(root, image, str(list_file))
            inside(root, label or "", str(list_file))
            images.append(image)
        extremes.extend((min(images), max(images)))

    lines = read_lines(list_file, visit)
    locate = partial(_locate_pair, root, str(list_file), common_folder(extremes))
    return FileDataset("folder", meaning, lines, locate)


def _pair(line: str, list_file: str) -> tuple[str, str | None]:
    """Split `image label`, at a tab or comma if there is one, so that names with blanks are possible."""
    # The tab first: names may hold commas, and hardly ever tabs.
    separator = next((s for s in ("\t", ",") if s in line), None)
    parts = [with_slashes(part.strip()) for part in line.split(separator)]
    if len(parts) > 2 or not has_suffix(parts[0], SUFFIXES):
        raise UserError(
            f"{list_file}: {line!r} is no pair; each line is `image label`, two files with their suffixes, parted by a "
            "tab, comma or blank"
        )
    return parts[0], parts[1] if len(parts) == 2 else None


def _locate_pair(root: Path, list_file: str, folder: str, line: str) -> Record:
    image, label = _pair(line, list_file)
    return file_record(root, image, label, sample_name(image, folder))
