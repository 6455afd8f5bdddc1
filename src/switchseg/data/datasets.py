"""Opening a data set that a config or a flag names."""

from __future__ import annotations

from pathlib import Path

from switchseg.data import DATASETS
from switchseg.data.dataset import Dataset


def open_dataset(name: str, root: str | Path, split: str, list_file: str | Path | None = None) -> Dataset:
    """Open the split `train`, `val` or `test` of a data set, or the records of `list_file`.

    Raises:
        UserError: the name is unknown, or the files are not laid out as the data set's owner publishes them.
    """
    DATASETS.require("data.dataset", name)
    return DATASETS[name](root, split, list_file)
