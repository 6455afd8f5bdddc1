"""ADE20K scene parsing, 150 classes: the published folders, one flat folder, or an odgt list."""

from __future__ import annotations

from pathlib import Path

from switchseg.data.dataset import MissingSplitError, existing_folder
from switchseg.data.described import built_in
from switchseg.data.file_dataset import FileDataset
from switchseg.data.labels import LabelMap, Meaning
from switchseg.data.readers.ade20k_classes import ADE20K
from switchseg.data.readers.odgt import read_odgt
from switchseg.data.readers.pairs import open_pairs
from switchseg.data.splits import canonical_split
from switchseg.errors import UserError

SPLITS = {"train": "training", "val": "validation", "test": "testing"}


def open_ade20k(root: str | Path, split: str, list_file: str | Path | None = None) -> FileDataset:
    """Open {images,annotations}/{training,validation}/ below `root` or ROOT/ADEChallengeData2016, or flat folders.

    A list's paths are relative to `root`. Stored label 0 is unlabelled, k stands for class k - 1.
    """
    root = existing_folder(root)
    meaning = built_in(root, ADE20K, LabelMap.reduce_zero)
    return open_ade_folders("ade20k", root, split, list_file, meaning)


def open_ade_folders(name: str, root: Path, split: str, list_file: str | Path | None, meaning: Meaning) -> FileDataset:
    """Open a data set in ADE20K's layout with classes and label values of its own."""
    split = canonical_split(split)
    if list_file:
        return read_odgt(name, root, Path(list_file), meaning)
    if (root / "ADEChallengeData2016").is_dir():
        root = root / "ADEChallengeData2016"
    if not (root / "images").is_dir():
        raise UserError(f"{root}: no folder `images`; ADE20K's layout is images/ and annotations/")
    part = SPLITS.get(split, split)
    if (root / "images" / part).is_dir():
        return open_pairs(name, root / "images" / part, root / "annotations" / part, meaning)
    # Otherwise a missing split would be taken for the flat layout, and all splits be opened together.
    if any(path.is_dir() for path in (root / "images").iterdir()):
        raise MissingSplitError(f"{root / 'images' / part}: no such folder; the splits are train, val and test")
    return open_pairs(name, root / "images", root / "annotations", meaning)
