"""Lists of JSON lines, one record a line: {"fpath_img": ..., "fpath_segm": ..., "width": ..., "height": ...}."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from switchseg.data.classes import Classes
from switchseg.data.dataset import FileDataset, Record, canonical_split, existing_folder, file_record, sample_name
from switchseg.data.description import describe
from switchseg.data.labels import LabelMap
from switchseg.data.readers.ade20k_classes import ADE20K
from switchseg.data.records import common_folder, inside, read_lines
from switchseg.errors import UserError

LIST_NAMES = {"train": ("training", "train"), "val": ("validation", "val"), "test": ("test", "testing")}


def open_odgt(root: str | Path, split: str, list_file: str | Path | None = None) -> FileDataset:
    """Open the list `list_file`, or ROOT/{training,validation}.odgt; its paths are relative to `root`.

    Classes and the meaning of label values come from dataset.yaml, classes.json or classes.txt beside the list or in
    `root`; without one the data set is taken for ADE20K. Unless dataset.yaml says else, 0 is unlabelled and k stands
    for class k - 1.
    """
    root, split = existing_folder(root), canonical_split(split)
    list_file = Path(list_file) if list_file else find_list(root, split)
    description = describe(list_file.parent, root)
    if description is None:
        return read_odgt("odgt", root, list_file, ADE20K, LabelMap.reduce_zero(ADE20K))
    classes = description.to_classes()
    plain = not (description.label_map or description.colour_masks or description.reduce_zero_label)
    label_map = LabelMap.reduce_zero(classes) if plain else description.to_label_map(classes)
    return read_odgt("odgt", root, list_file, classes, label_map)


def find_list(root: Path, split: str) -> Path:
    """Return the list of a split that lies in `root`; a UserError if there is none."""
    names = [f"{name}.odgt{suffix}" for name in LIST_NAMES.get(split, (split,)) for suffix in ("", ".gz")]
    for name in names:
        if (root / name).is_file():
            return root / name
    raise UserError(f"{root}: no {names[0]}; name the list with --list (data.train_list, data.val_list)")


def read_odgt(name: str, root: Path, list_file: Path, classes: Classes, label_map: LabelMap) -> FileDataset:
    """Open a list whose paths are relative to `root`.

    Raises:
        UserError: a line is no JSON object with `fpath_img`, or a path leads out of `root`; names the line.
    """
    visitor = _Visitor(root, list_file)
    lines = read_lines(list_file, visitor)
    locate = partial(_locate, root, str(list_file), common_folder(visitor.extremes))
    sizes = np.concatenate(visitor.sizes)
    return FileDataset(name, classes, lines, locate, label_map, sizes if (sizes > 0).all() else None)


class _Visitor:
    """Checks blocks of lines and gathers what is needed of all records at once: sizes and the common folder."""

    def __init__(self, root: Path, list_file: Path) -> None:
        self.sizes: list[np.ndarray] = []
        self.extremes: list[str] = []
        self._root, self._list, self._seen = root, list_file, 0

    def __call__(self, lines: list[str]) -> None:
        text = f"[{','.join(lines)}]"
        records = self._parse(text, lines)
        try:
            paths = [record["fpath_img"] for record in records]
            self.extremes += [min(paths) + "", max(paths)]  # a TypeError unless all are strings
            sizes = ([record.get(side, 0) for record in records] for side in ("height", "width"))
            self.sizes.append(np.array([np.array(side, np.int32) for side in sizes]).T)
        except (TypeError, ValueError, OverflowError, KeyError):
            self._find_fault(lines)
        if ".." in text or '"/' in text or "\\" in text:  # an escape may hide either
            for record in records:
                inside(self._root, record["fpath_img"], str(self._list))
                inside(self._root, record.get("fpath_segm") or "", str(self._list))
        self._seen += len(lines)

    def _parse(self, text: str, lines: list[str]) -> list[dict[str, Any]]:
        """Return the records; one call for the whole block takes half the time of a call for each line."""
        try:
            records: list[dict[str, Any]] = json.loads(text)
        except (ValueError, RecursionError):
            records = []
        if len(records) != len(lines):
            self._find_fault(lines)
        return records

    def _find_fault(self, lines: list[str]) -> NoReturn:
        for number, line in enumerate(lines, self._seen + 1):
            _record(line, f"{self._list}, record {number}")
        raise UserError(f"{self._list}: width and height must be whole numbers")


def _record(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: not JSON ({error}); one JSON object a line was expected") from None
    if not isinstance(record, dict) or not isinstance(record.get("fpath_img"), str):
        raise UserError(f'{where}: no "fpath_img"; a record is {{"fpath_img", "fpath_segm", "width", "height"}}')
    if not isinstance(record.get("fpath_segm"), str | None):
        raise UserError(f'{where}: "fpath_segm" is {record["fpath_segm"]!r}; a path was expected')
    return record


def _locate(root: Path, list_file: str, folder: str, line: str) -> Record:
    record = _record(line, list_file)
    image, label = record["fpath_img"], record.get("fpath_segm")
    return file_record(root, image, label, sample_name(image, folder))
