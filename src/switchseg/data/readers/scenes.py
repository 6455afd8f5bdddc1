"""The data set that `switchseg make-scenes` generates, laid out as ADE20K."""

from __future__ import annotations

import shlex
from pathlib import Path

from switchseg.data.dataset import existing_folder
from switchseg.data.described import describe
from switchseg.data.file_dataset import FileDataset
from switchseg.data.labels import LabelMap
from switchseg.data.readers.ade20k import open_ade_folders
from switchseg.errors import UserError


def open_scenes(root: str | Path, split: str, list_file: str | Path | None = None) -> FileDataset:
    """Open generated scenes; the classes stand in ROOT/classes.json."""
    root = existing_folder(root)
    described = describe(root)
    if described is None:
        command = f"switchseg make-scenes --out {shlex.quote(str(root))}"
        raise UserError(f"{root}: no classes.json; generate the data with `{command}`")
    return open_ade_folders("scenes", root, split, list_file, described.meaning(label_map=LabelMap.reduce_zero))
