"""The data set whose samples lie in files, an image and a label, which a line of a list names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from switchseg.data.dataset import Record, StoredDataset
from switchseg.data.labels import Meaning
from switchseg.data.paths import printable
from switchseg.data.records import Lines


class FileDataset(StoredDataset):
    """A data set of image and label files, listed by `lines`; `locate` turns a line into a record."""

    def __init__(
        self,
        name: str,
        meaning: Meaning,
        lines: Lines,
        locate: Callable[[str], Record],
        sizes: np.ndarray | None = None,
    ) -> None:
        super().__init__(name, meaning, sizes)
        self._lines, self._locate = lines, locate

    def __len__(self) -> int:
        return len(self._lines)

    def record(self, index: int) -> Record:
        """Return the paths of sample `index`."""
        return self._locate(self._lines[index])


def file_record(root: str | Path, image: str, label: str | None, name: str) -> Record:
    """Return the record of two files below `root`."""
    image_path, label_path = os.path.join(root, image), os.path.join(root, label) if label else None
    return Record(image_path, label_path, name, image_path, label_path or "")


def sample_name(path: str, folder: str, word: str = "") -> str:
    """Return the path below `folder` without its suffix and a word before it, as one file stem: `a/b.jpg` is `a__b`."""
    stem = os.path.splitext(path)[0]
    return printable(stem.removesuffix(word).removeprefix(folder).replace("/", "__"))
