"""Hugging Face data sets: parquet files, a folder that `save_to_disk` wrote, or a name on the hub (extra `data`)."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from switchseg.data.dataset import MissingSplitError, Record, StoredDataset
from switchseg.data.described import describe, meaning_of
from switchseg.data.images import Source
from switchseg.data.labels import LabelMap, Meaning
from switchseg.data.paths import inside
from switchseg.data.readers.ade20k_classes import ADE20K
from switchseg.data.splits import ALL_WORDS, canonical_split, words_for
from switchseg.errors import UserError

IMAGE_COLUMNS = ("image", "img", "pixel_values")
LABEL_COLUMNS = ("annotation", "label", "labels", "mask", "segmentation_mask", "semantic_segmentation")


class HuggingFaceDataset(StoredDataset):
    """Rows with an encoded image and an encoded label."""

    def __init__(
        self,
        rows: Any,
        columns: tuple[str, str | None],
        meaning: Meaning,
        folder: Path | None,
        rows_name: str,
    ) -> None:
        super().__init__("huggingface", meaning)
        self._rows, self._columns, self._folder, self._rows_name = rows, columns, folder, rows_name

    def __len__(self) -> int:
        return len(self._rows)

    def record(self, index: int) -> Record:
        """Return the encoded files of row `index`."""
        image, label = self._columns
        row = self._rows[index]
        return Record(
            image=self._source(row[image], f"row {index}, column {image}"),
            label=None if label is None or row[label] is None else self._source(row[label], f"row {index}"),
            name=self.name_of(index),
            # With the split, as every split counts its rows from 0.
            image_name=f"{self.name} {self._rows_name} {index}, column {image}",
            label_name=f"{self.name} {self._rows_name} {index}, column {label}",
        )

    def name_of(self, index: int) -> str:
        """Return the name of row `index`."""
        return f"{index:08d}"

    def _source(self, cell: Any, where: str) -> Source:
        """Return the bytes that a cell holds, or the path that it names, which must not lead out of a folder."""
        content: Source | None = None if cell is None else cell.get("bytes")
        if content is not None:
            return content
        path = None if cell is None else cell.get("path")
        if not isinstance(path, str):
            raise UserError(f"{self.name} {where}: holds no image")
        # Rows of a folder may come from anybody, and name any file of the machine.
        return path if self._folder is None else inside(self._folder, path, f"{self.name} {where}")


def open_hugging_face(root: str | Path, split: str, list_file: str | Path | None = None) -> HuggingFaceDataset:
    """Open a split of the data set in the folder `root`, or of that name (`owner/name[:configuration]`) on the hub.

    Classes come from dataset.yaml (classes.json, classes.txt) in the folder, or, for a name on the hub, in the folder
    of `list_file`; without one the data set is taken for ADE20K, where stored 0 is ignored.

    Raises:
        UserError: the extra `data` is not installed, there is no such data set or split, or no image column.
    """
    try:
        import datasets
    except ImportError:
        raise UserError("dataset huggingface needs the extra: pip install 'switchseg[data]'") from None
    folder, split = Path(os.path.expanduser(root)), canonical_split(split)
    try:
        rows, has_splits = _load(datasets, str(root), folder, split)
    except UserError:
        raise
    except Exception as error:  # whatever damaged files drive the library to
        raise UserError(f"{root}: no data set could be opened ({' '.join(str(error).split())[:200]})") from None
    if not len(rows):
        raise _empty(root, split)
    # What has no splits is the same images whichever is asked for.
    rows_name = f"{split} row" if has_splits else "row"
    columns = _column(rows, IMAGE_COLUMNS, str(root)), _column(rows, LABEL_COLUMNS, None)
    for column in filter(None, columns):
        # The encoded files, so that labels are decoded by the same rules as those of all other data sets.
        rows = rows.cast_column(column, datasets.Image(decode=False))
    described = Path(list_file).parent if list_file else folder
    if list_file or describe(described):
        meaning = meaning_of(described)
    else:
        meaning = Meaning(ADE20K, LabelMap.reduce_zero(ADE20K))
    return HuggingFaceDataset(rows, columns, meaning, folder if folder.is_dir() else None, rows_name)


def _load(datasets: Any, root: str, folder: Path, split: str) -> tuple[Any, bool]:
    """Return the rows of a split, and whether the data set has splits at all; others may be empty or damaged."""
    if not folder.is_dir():
        found = _load_hub(datasets, root)
        return (found[_named(found, split, root)], True) if isinstance(found, dict) else (found, False)
    if (folder / "dataset_dict.json").is_file():
        saved = folder / _named({path.parent.name for path in folder.glob("*/dataset_info.json")}, split, root)
        # Of an empty split, `save_to_disk` writes what it cannot load.
        if not any(saved.glob("*.arrow")):
            raise _empty(root, split)
        return datasets.load_from_disk(str(saved)), True
    if (folder / "dataset_info.json").is_file():
        return datasets.load_from_disk(str(folder)), False
    files = _parquet_files(folder)
    name = _named(files, split, root)
    if not _holds_rows(files[name]):
        raise _empty(root, split)
    return datasets.load_dataset("parquet", data_files={name: files[name]}, split=name), True


def _parquet_files(folder: Path) -> dict[str, list[str]]:
    """Return parquet files by their split, after which they or their folders are named: train-00000-of-00002."""
    splits: dict[str, list[str]] = {}
    for file in sorted(folder.rglob("*.parquet")):
        stem = file.stem.split("-")[0]
        splits.setdefault(stem if stem in ALL_WORDS else file.parent.name, []).append(str(file))
    if not splits:
        raise UserError(f"{folder}: no *.parquet file, and nothing that `save_to_disk` wrote")
    return splits


def _holds_rows(files: list[str]) -> bool:
    import pyarrow.parquet

    return any(pyarrow.parquet.read_metadata(file).num_rows for file in files)


def _load_hub(datasets: Any, name: str) -> Any:
    """Load `owner/name` or `owner/name:configuration`."""
    name, _, configuration = name.partition(":")
    try:
        return datasets.load_dataset(name, configuration or None)
    except RuntimeError:
        # A loading script, which nobody runs any more; the hub converts such data sets to parquet.
        return datasets.load_dataset(name, configuration or None, revision="refs/convert/parquet")


def _named(found: Collection[str], split: str, root: str) -> str:
    """Return what a split is called among those that were found."""
    for name in words_for(split):
        if name in found:
            return name
    raise MissingSplitError(f"{root}: no split {split!r}; there is {', '.join(sorted(found))}")


def _empty(root: str | Path, split: str) -> MissingSplitError:
    return MissingSplitError(f"{root}: the split {split!r} is empty; rows with images were expected")


def _column(rows: Any, names: tuple[str, ...], required_in: str | None) -> Any:
    found = next((name for name in names if name in rows.column_names), None)
    if found is None and required_in:
        raise UserError(f"{required_in}: no column {', '.join(names)}; there is {', '.join(rows.column_names)}")
    return found
