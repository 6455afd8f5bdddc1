"""The interface of a data set, and the data set that lies in files."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from switchseg.data.classes import Classes
from switchseg.data.images import image_size, read_image, read_label
from switchseg.data.labels import LabelMap
from switchseg.data.records import Lines
from switchseg.data.sample import Sample
from switchseg.errors import UserError

_SPLITS = {"training": "train", "validation": "val", "testing": "test"}


class Dataset(Protocol):
    """Images with labels, read by number in any order."""

    name: str
    classes: Classes
    decoder: str

    def __len__(self) -> int: ...

    def sizes(self) -> np.ndarray:
        """Return the (height, width) of every image in pixels, int32 [n, 2]."""
        ...

    def read(self, index: int) -> Sample:
        """Return one sample; raises a UserError that names the file if it cannot be had."""
        ...


class Record(NamedTuple):
    """Where one sample lies: full paths, and the name it goes by."""

    image: str
    label: str | None
    name: str


class FileDataset:
    """A data set of image and label files, listed by `lines`; `locate` turns a line into a `Record`."""

    def __init__(
        self,
        name: str,
        classes: Classes,
        lines: Lines,
        locate: Callable[[str], Record],
        label_map: LabelMap,
        sizes: np.ndarray | None = None,
    ) -> None:
        self.name, self.classes, self.label_map = name, classes, label_map
        self.decoder = "pillow"
        self._lines, self._locate, self._sizes = lines, locate, sizes
        self._listed = sizes is not None

    def __len__(self) -> int:
        return len(self._lines)

    def record(self, index: int) -> Record:
        """Return where sample `index` lies."""
        return self._locate(self._lines[index])

    def sizes(self) -> np.ndarray:
        """Return the (height, width) of every image, int32 [n, 2]: from the list, or else from the files."""
        if self._sizes is None:
            found = [self._stored_size(self.record(index)) for index in range(len(self))]
            self._sizes = np.array(found, np.int32).reshape(-1, 2)
        return self._sizes

    def read(self, index: int) -> Sample:
        """Return sample `index`.

        Raises:
            UserError: a file is missing or damaged, image and label differ in size, the list has another size than
                the file, or a label value stands for no class.
        """
        record = self.record(index)
        image = read_image(record.image, decoder=self.decoder)
        if record.label is None:
            return Sample(image, None, record.name)
        label = self.label_map(read_label(record.label, colours=self.label_map.colours), record.label)
        if image.shape[:2] != label.shape:
            # Labels drawn on the stored pixels by a tool that does not know the EXIF orientation.
            image = read_image(record.image, decoder=self.decoder, upright=False)
        if image.shape[:2] != label.shape:
            raise UserError(
                f"{record.label}: {_size(label)} pixels, but its image {record.image} has {_size(image)}; "
                "image and label must have the same size"
            )
        if self._listed and self._sizes is not None and tuple(self._sizes[index]) != label.shape:
            height, width = self._sizes[index]
            raise UserError(
                f"{record.image}: {_size(image)} pixels, but the list says {width}x{height}; "
                "write the list anew (switchseg make-list)"
            )
        return Sample(image, label, record.name)

    def _stored_size(self, record: Record) -> tuple[int, int]:
        # A label has no EXIF orientation of its own, so it says best how the pair is turned.
        return image_size(record.label or record.image)


def canonical_split(split: str) -> str:
    """Return `train`, `val` or `test` for the longer words; other splits stay as they are."""
    return _SPLITS.get(split, split)


def sample_name(path: str, folder: str, ending: str = "") -> str:
    """Return the path below `folder` without its ending (any suffix), as one file stem: `a/b.jpg` is `a__b`."""
    stem = path.removesuffix(ending) if ending else os.path.splitext(path)[0]
    return stem.removeprefix(folder).replace("/", "__")


def existing_folder(root: str | os.PathLike[str]) -> Path:
    """Return `root` as a path; a UserError if it is not a folder."""
    root = Path(root).expanduser()
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; --root (data.root) must be the data set's folder")
    return root


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]}x{array.shape[0]}"
