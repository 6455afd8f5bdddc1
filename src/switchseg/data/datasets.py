"""Opening a data set that a config or a flag names."""

from __future__ import annotations

from pathlib import Path

from switchseg.data import DATASETS
from switchseg.data.composed import JoinedDataset
from switchseg.data.dataset import Dataset, StoredDataset
from switchseg.data.splits import canonical_split
from switchseg.errors import UserError


def open_dataset(
    name: str, root: str | Path, split: str, list_file: str | Path | None = None, *, incomplete: bool = False
) -> Dataset:
    """Open the split `train`, `val` or `test` of a data set, several as `train+val`, or the records of `list_file`.

    Args:
        name: a key of `DATASETS`.
        root: the data set's folder.
        split: which part of it.
        list_file: the records to take in place of the split, for data sets that have lists.
        incomplete: also open folders in which labels of some images are missing; these samples then have no label.

    Raises:
        UserError: the name is unknown, the files are not laid out as the data set's owner publishes them, labels are
            missing, or splits that are joined have other classes, are the same, or are not stored in files.
    """
    DATASETS.require("data.dataset", name)
    splits = split.split("+")
    # Below a folder, an empty name would stand for all splits.
    if not all(splits):
        raise UserError(f"split: {split or 'empty'}; train, val, test or the name of another split was expected")
    if list_file or len(splits) == 1:
        return _complete(DATASETS[name](root, split, list_file), incomplete)
    opened = [_complete(DATASETS[name](root, part, None), incomplete) for part in splits]
    parts = [part for part in opened if isinstance(part, StoredDataset)]
    if len(parts) < len(opened):
        raise UserError(f"data.dataset: {name} is not stored in files, so {split} cannot be joined; name one split")
    # The same split under two of its names (`val+validation`) would show every image twice.
    if any(part.meaning != parts[0].meaning for part in parts) or len({*map(canonical_split, splits)}) < len(splits):
        raise UserError(f"{root}: {split} cannot be joined; different splits with the same classes were expected")
    return JoinedDataset(parts, [canonical_split(part) for part in splits])


def _complete(dataset: Dataset, incomplete: bool) -> Dataset:
    """Return `dataset`, unless labels are missing and that is not wanted."""
    if isinstance(dataset, StoredDataset) and dataset.incomplete and not incomplete:
        raise UserError(dataset.incomplete)
    return dataset
