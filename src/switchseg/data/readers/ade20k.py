"""ADE20K scene parsing, 150 classes: the published folders, one flat folder, or an odgt list."""

from __future__ import annotations

from pathlib import Path

from switchseg.data.classes import Classes
from switchseg.data.dataset import FileDataset, canonical_split, existing_folder
from switchseg.data.labels import LabelMap
from switchseg.data.readers.ade20k_classes import ADE20K
from switchseg.data.readers.odgt import read_odgt
from switchseg.data.readers.pairs import open_pairs
from switchseg.errors import UserError

SPLITS = {"train": "training", "val": "validation", "test": "testing"}


def open_ade20k(root: str | Path, split: str, list_file: str | Path | None = None) -> FileDataset:
    """Open {images,annotations}/{training,validation}/ below `root` or ROOT/ADEChallengeData2016, or flat folders.

    A list's paths are relative to `root`. Stored label 0 is unlabelled, k stands for class k - 1.
    """
    return open_ade_folders("ade20k", root, split, list_file, ADE20K)


def open_ade_folders(
    name: str, root: str | Path, split: str, list_file: str | Path | None, classes: Classes
) -> FileDataset:
    """Open a data set in ADE20K's layout with other classes."""
    root, split = existing_folder(root), canonical_split(split)
    label_map = LabelMap.reduce_zero(classes)
    if list_file:
        return read_odgt(name, root, Path(list_file), classes, label_map)
    if (root / "ADEChallengeData2016").is_dir():
        root = root / "ADEChallengeData2016"
    if not (root / "images").is_dir():
        raise UserError(f"{root}: no folder `images`; ADE20K's layout is images/ and annotations/")
    part = SPLITS.get(split, split)
    if (root / "images" / part).is_dir():
        return open_pairs(name, root / "images" / part, root / "annotations" / part, classes, label_map)
    if any(path.is_dir() for path in (root / "images").iterdir()):
        raise UserError(f"{root / 'images' / part}: no such folder; the splits are train, val and test")
    return open_pairs(name, root / "images", root / "annotations", classes, label_map)
