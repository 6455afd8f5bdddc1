"""The interface of a data set, and what all sets of encoded images share."""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from switchseg.classes import Classes
from switchseg.data.images import Source, image_size, read_image
from switchseg.data.label_files import read_label
from switchseg.data.labels import Meaning
from switchseg.data.sample import Sample
from switchseg.errors import UserError


class Dataset(Protocol):
    """Images with labels, read by number in any order."""

    name: str
    classes: Classes
    decoder: str
    """How images are decoded: `pillow` or `simplejpeg`."""

    def __len__(self) -> int: ...

    def sizes(self, skip: bool = False) -> np.ndarray:
        """Return the (height, width) of every image in pixels, int32 [n, 2]; `skip` lets unreadable ones be 1 x 1."""
        ...

    def read(self, index: int) -> Sample:
        """Return one sample; raises a UserError that names the file if it cannot be had."""
        ...


class MissingSplitError(UserError):
    """A data set is there, but not the split that was asked for."""


class Record(NamedTuple):
    """Where one sample lies: two paths or the bytes of two files, what they are called, and the sample's name."""

    image: Source
    label: Source | None
    name: str
    image_name: str
    label_name: str


class StoredDataset(ABC):
    """A data set of encoded images; a reader says where each `record` lies."""

    def __init__(self, name: str, meaning: Meaning, sizes: np.ndarray | None = None) -> None:
        self.name = name
        self.classes, self.label_map, self.exif_orientation = meaning
        # The loader sets it: readers only know where files lie.
        self.decoder = "pillow"
        self.incomplete = ""
        """One line that names the images whose label file is missing; empty if none is."""
        self.pairing = ""
        """What the files of images and of labels end in, by which they were matched; empty if by all of their names."""
        self.listed_sizes = sizes
        """The (height, width) of every image as a list of records says, int32 [n, 2]; None where it says nothing."""
        self._sizes = sizes

    @property
    def meaning(self) -> Meaning:
        """What its labels are taken for."""
        return Meaning(self.classes, self.label_map, self.exif_orientation)

    @meaning.setter
    def meaning(self, meaning: Meaning) -> None:
        self.classes, self.label_map, self.exif_orientation = meaning

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def record(self, index: int) -> Record:
        """Return where sample `index` lies."""

    def name_of(self, index: int) -> str:
        """Return the name of sample `index`; for readers whose records hold whole files, without reading them."""
        return self.record(index).name

    def sizes(self, skip: bool = False) -> np.ndarray:
        """Return the (height, width) of every image, int32 [n, 2]: as listed, or else from the files' headers.

        Raises:
            UserError: a file cannot be read; with `skip` its image counts as 1 x 1 instead.
        """
        if self._sizes is None:
            sizes = np.ones((len(self), 2), np.int32)
            for index in range(len(self)):
                with contextlib.suppress(UserError) if skip else contextlib.nullcontext():
                    sizes[index] = self.size(index)
            self._sizes = sizes
        return self._sizes

    def size(self, index: int) -> tuple[int, int]:
        """Return the (height, width) of one image, from the header of its file."""
        record = self.record(index)
        # A label has no EXIF orientation of its own, so it says best how the pair is turned.
        if record.label is None:
            return image_size(record.image, record.image_name, upright=self.exif_orientation != "ignore")
        return image_size(record.label, record.label_name, upright=False)

    def read(self, index: int) -> Sample:
        """Return sample `index`.

        Raises:
            UserError: a file is missing or damaged, image and label differ in size, the list has another size than
                the file, or a label value stands for no class.
        """
        record = self.record(index)
        upright = self.exif_orientation != "ignore"
        image = read_image(record.image, record.image_name, self.decoder, upright)
        if record.label is None:
            return Sample(image, None, record.name)
        label = self.label_map(read_label(record.label, record.label_name, self.label_map.colours), record.label_name)
        if image.shape[:2] != label.shape and self.exif_orientation == "auto":
            # Labels drawn on the stored pixels by a tool that does not know the EXIF orientation.
            image = read_image(record.image, record.image_name, self.decoder, upright=False)
        if image.shape[:2] != label.shape:
            raise UserError(
                f"{record.label_name}: {_size(label.shape)} pixels, but its image {record.image_name} has "
                f"{_size(image.shape)}; image and label must have the same size"
            )
        # Sub-batches were planned by the listed sizes, so that a wrong one must not pass in silence.
        if self.listed_sizes is not None and tuple(self.listed_sizes[index]) != label.shape:
            raise UserError(
                f"{record.image_name}: {_size(label.shape)} pixels, but the list says "
                f"{_size(self.listed_sizes[index])}; write the list anew (switchseg make-list)"
            )
        return Sample(image, label, record.name)


def existing_folder(root: str | os.PathLike[str]) -> Path:
    """Return `root` as a path; a UserError if it is not a folder."""
    if not os.fspath(root):
        raise UserError("data.root: not set; the data set's folder was expected")
    root = Path(os.path.expanduser(root))
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; --root (data.root) must be the data set's folder")
    return root


def _size(shape: tuple[int, ...] | np.ndarray) -> str:
    return f"{shape[1]}x{shape[0]}"
