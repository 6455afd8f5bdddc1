"""Lists of JSON lines, one record a line: {"fpath_img": ..., "fpath_segm": ..., "width": ..., "height": ...}."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from switchseg.data.dataset import MissingSplitError, Record, existing_folder
from switchseg.data.described import meaning_of
from switchseg.data.file_dataset import FileDataset, file_record, sample_name
from switchseg.data.labels import LabelMap, Meaning
from switchseg.data.paths import common_folder, inside, with_slashes
from switchseg.data.readers.ade20k_classes import ADE20K
from switchseg.data.records import read_lines
from switchseg.data.splits import canonical_split, words_for
from switchseg.errors import UserError

_SIDES = ("width", "height")


def open_odgt(root: str | Path, split: str, list_file: str | Path | None = None) -> FileDataset:
    """Open the list `list_file`, or ROOT/{training,validation}.odgt; its paths are relative to `root`.

    Classes and the meaning of label values come from dataset.yaml, classes.json or classes.txt beside the list or in
    `root`; without one the data set is taken for ADE20K. Unless dataset.yaml says else, 0 is unlabelled and k stands
    for class k - 1.
    """
    root, split = existing_folder(root), canonical_split(split)
    list_file = Path(list_file) if list_file else find_list(root, split)
    meaning = meaning_of(list_file.parent, root, own=ADE20K, label_map=LabelMap.reduce_zero)
    return read_odgt("odgt", root, list_file, meaning)


def find_list(root: Path, split: str) -> Path:
    """Return the list of a split that lies in `root`; a UserError if there is none."""
    names = [f"{name}.odgt{suffix}" for name in words_for(split) for suffix in ("", ".gz")]
    for name in names:
        if (root / name).is_file():
            return root / name
    raise MissingSplitError(f"{root}: no {names[0]}; name the list with --list (data.train_list, data.val_list)")


def read_odgt(name: str, root: Path, list_file: Path, meaning: Meaning) -> FileDataset:
    """Open a list whose paths are relative to `root`.

    Raises:
        UserError: a line is no JSON object with `fpath_img`, or a path leads out of `root`; names the line.
    """
    visitor = _Visitor(root, list_file)
    lines = read_lines(list_file, visitor)
    locate = partial(_locate, root, str(list_file), common_folder(visitor.extremes))
    sizes = np.concatenate(visitor.sizes)
    return FileDataset(name, meaning, lines, locate, sizes if (sizes > 0).all() else None)


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
            images = [record["fpath_img"] for record in records]
            labels = [record.get("fpath_segm") or "" for record in records]
            # The smallest and the largest path are enough: what both begin with, all between them do.
            self.extremes += [with_slashes(end(images)) for end in (min, max)]
            # An AttributeError or TypeError unless all are strings.
            with_slashes(max(labels))
            self.sizes.append(_sizes(records))
        except (AttributeError, TypeError, ValueError, OverflowError, KeyError):
            self._find_fault(lines)
        # The cheap question first, of the whole block: hardly any list has a path that could lead out.
        if ".." in text or '"/' in text or "\\" in text:  # an escape may hide either
            for path in images + labels:
                inside(self._root, with_slashes(path), str(self._list))
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
        # Only now line by line, to name the first that is wrong.
        for number, line in enumerate(lines, self._seen + 1):
            where = f"{self._list}, record {number}"
            record = _record(line, where)
            try:
                _sizes([record])
            except (TypeError, ValueError, OverflowError):
                found = " and ".join(repr(record.get(side)) for side in _SIDES)
                raise UserError(f"{where}: width and height must be whole numbers of pixels, not {found}") from None
        raise UserError(f"{self._list}: cannot be read as a list of records")


def _sizes(records: list[dict[str, Any]]) -> np.ndarray:
    """Return the (height, width) of records, int32 [n, 2], 0 where they say nothing; may raise what numpy does."""
    sides = [np.array([record.get(side) or 0 for record in records], np.float64) for side in _SIDES[::-1]]
    sizes = np.stack(sides, axis=1)
    # Some tools write 683.0 for a whole number; nothing tells which way 682.5 was meant.
    if sizes.ndim != 2 or not ((sizes == np.floor(sizes)) & (abs(sizes) < 2**31)).all():
        raise ValueError
    return sizes.astype(np.int32)


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
    image, label = with_slashes(record["fpath_img"]), with_slashes(record.get("fpath_segm") or "")
    return file_record(root, image, label or None, sample_name(image, folder))
