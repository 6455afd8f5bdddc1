"""Pascal VOC segmentation, 21 classes with background, and its augmented training set (SegmentationClassAug)."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from switchseg.classes import Classes
from switchseg.data.dataset import MissingSplitError, Record, existing_folder
from switchseg.data.described import built_in
from switchseg.data.file_dataset import FileDataset, file_record, sample_name
from switchseg.data.images import SUFFIXES
from switchseg.data.paths import has_suffix, inside, with_slashes
from switchseg.data.records import read_lines
from switchseg.data.splits import canonical_split
from switchseg.errors import UserError

_NAMES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)


def _colour(index: int) -> tuple[int, int, int]:
    """Return VOC's colour of a class: the bits of its number, spread over the channels from the highest bit down."""
    channels = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            channels[channel] |= (index >> (3 * bit + channel) & 1) << (7 - bit)
    return channels[0], channels[1], channels[2]


VOC = Classes(_NAMES, tuple(_colour(index) for index in range(len(_NAMES))))

_AUGMENTED = ("trainaug", "train_aug")


def open_voc(root: str | Path, split: str, list_file: str | Path | None = None) -> FileDataset:
    """Open a split of ImageSets/Segmentation below `root`, ROOT/VOC2012 or ROOT/VOCdevkit/VOC2012.

    The split `trainaug` takes its labels from SegmentationClassAug. `list_file` holds one image name a line, or
    `image label` with paths relative to the folder of VOC2012.
    """
    given, split = existing_folder(root), canonical_split(split)
    # The archive unpacks to VOCdevkit/VOC2012, and people name any of the three folders.
    below = (given, given / "VOC2012", given / "VOCdevkit/VOC2012")
    root = next((folder for folder in below if (folder / "JPEGImages").is_dir()), given)
    if not (root / "JPEGImages").is_dir():
        raise UserError(f"{root}: no folder JPEGImages; --root must be VOCdevkit, VOC2012 or the folder above them")
    lists = root / "ImageSets" / "Segmentation"
    labels = "SegmentationClass"
    if list_file is None:
        names = _AUGMENTED if split in _AUGMENTED else (split,)
        list_file = next((f for name in names if (f := lists / f"{name}.txt").is_file()), None)
        if list_file is None:
            known = ", ".join(sorted(path.stem for path in lists.glob("*.txt"))) or "none"
            raise MissingSplitError(f"{lists / names[0]}.txt: no such list; the splits are {known}")
    if split in _AUGMENTED:
        labels = "SegmentationClassAug"
        if not (root / labels).is_dir():
            raise UserError(f"{root / labels}: no such folder; the augmented labels are not part of VOC2012 itself")
    locate = partial(_locate, root, labels, str(list_file))

    def visit(lines: list[str]) -> None:
        # For its complaints alone, which should not wait for an epoch to reach the line.
        for line in lines:
            locate(line)

    return FileDataset("voc", built_in(given, VOC), read_lines(list_file, visit), locate)


def _locate(root: Path, labels: str, list_file: str, line: str) -> Record:
    image, _, label = with_slashes(line).strip().partition(" ")
    if label and not has_suffix(label, SUFFIXES):
        raise UserError(f"{list_file}: {line!r}; an image's name, or the paths of an image and a label, were expected")
    if label:
        image, label = (_below(root, path.strip()) for path in (image, label))
        for path in (image, label):
            inside(root, path, list_file)
    else:
        inside(root / labels, image, list_file)
        image, label = f"JPEGImages/{image}.jpg", f"{labels}/{image}.png"
    return file_record(root, image, label, sample_name(image, "JPEGImages/"))


def _below(root: Path, path: str) -> str:
    """Return a path relative to `root`, with which lists of the augmented set mean what begins with a slash."""
    folder = os.path.abspath(root)
    return os.path.relpath(path, folder) if path.startswith(f"{folder}/") else path.lstrip("/")
