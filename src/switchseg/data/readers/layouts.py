"""Where images and labels lie in a folder that somebody made: the usual arrangements of folders and names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from switchseg.data.dataset import MissingSplitError
from switchseg.data.images import SUFFIXES
from switchseg.data.paths import has_suffix
from switchseg.data.readers.endings import PLAIN, Endings, endings_between, endings_within
from switchseg.data.readers.pairs import list_images
from switchseg.data.splits import ALL_WORDS, words_for
from switchseg.errors import UserError

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages")
"""What the folder of the images may be called, in small or capital letters; the usual word first."""
LABEL_FOLDERS = ("annotations", "masks", "labels", "annotation", "mask", "label", "annot", "segmentationclass")
_MOST_NAMED = 5


class Layout(NamedTuple):
    """Two folders and what the names of their files end in, as `open_pairs` takes them."""

    images: Path
    labels: Path
    endings: Endings = (PLAIN, PLAIN)


def find_layout(root: Path, split: str) -> Layout:
    """Return where the images and labels of a split lie below `root`.

    They are images/SPLIT and labels/SPLIT; or SPLIT/images and SPLIT/labels; or SPLIT and SPLIT_labels; or SPLIT with
    `a.jpg` beside `a_mask.png`, or beside `a.png`; or any of it without splits, with or without folders below. The
    folders may go by any of `IMAGE_FOLDERS` and `LABEL_FOLDERS`, and images and labels may have endings of their own.

    Raises:
        MissingSplitError: there are other splits.
        UserError: there is none of these, or more than one way to take them.
    """
    folders = _folders(root)
    images = _called(folders, IMAGE_FOLDERS)
    inner = _folders(images) if images else {}
    # Folders of splits before those without: a folder `images` of the first kind holds no images itself.
    if part := _called(inner, words_for(split)):
        labels = _label_folder(root)
        return layout_of(part, _called(_folders(labels), words_for(split)) or labels / part.name)
    for word in words_for(split):
        if layout := _of_split(folders, word):
            return layout
    splits = sorted([path.name for path in inner.values()] + [word for word in ALL_WORDS if _is_split(folders, word)])
    # Folders of which none is called like a split are towns or days, unless one of them was asked for by its name.
    if not ALL_WORDS.isdisjoint(map(str.lower, splits)) or (splits and split not in ALL_WORDS):
        missing = (images or root / IMAGE_FOLDERS[0]) / split
        raise MissingSplitError(f"{missing}: no such folder; there is {', '.join(splits)}")
    if layout := _within(root):
        return layout
    image_folder, label_folders = IMAGE_FOLDERS[0], "|".join(LABEL_FOLDERS[:3])
    there = sorted(path.name for path in folders.values())
    others = f"; there is {', '.join(there[:_MOST_NAMED])}{', ...' * (len(there) > _MOST_NAMED)}" if there else ""
    raise UserError(
        f"{root}: no folder `{image_folder}`; the layout is {image_folder}/ and {label_folders}/, each with or without "
        f"folders of the splits, or SPLIT/ with both in it, or a.jpg beside a_mask.png{others}"
    )


def layout_of(images: Path, labels: Path) -> Layout:
    """Return the layout of a folder of images and one of labels, with the endings by which their names match."""
    found, partners = list_images(images).files.keys(), list_images(labels).files.keys()
    return Layout(images, labels, endings_between(found, partners, (images, labels)))


def _of_split(folders: dict[str, Path], word: str) -> Layout | None:
    """Return the layout of a split that goes by this word and has folders of its own; None if there is none."""
    # What is to be labelled, as competitions hand it out.
    labelled = word not in words_for("test")
    if (folder := _called(folders, (word,))) and (layout := _within(folder, labelled)):
        return layout
    images = _called(folders, (word, *_with_split(word, IMAGE_FOLDERS)))
    labels = _called(folders, _with_split(word, LABEL_FOLDERS))
    return layout_of(images, labels) if images and labels else None


def _is_split(folders: dict[str, Path], word: str) -> bool:
    try:
        return _of_split(folders, word) is not None
    except UserError:
        return True  # it is there, though it cannot be used


def _with_split(word: str, names: Sequence[str]) -> list[str]:
    return [f"{word}{joint}{name}" for joint in ("_", "-", "") for name in names]


def _within(folder: Path, labelled: bool = True) -> Layout | None:
    """Return the layout of a folder that holds images and labels, in two folders or beside each other; or None.

    Unless they must be `labelled`, a folder of images will do.
    """
    if inner := _called(_folders(folder), IMAGE_FOLDERS):
        return layout_of(inner, _label_folder(folder, labelled))
    names = os.listdir(folder) if folder.is_dir() else []
    images = [name for name in names if has_suffix(name, SUFFIXES) and not name.startswith(".")]
    endings = endings_within(images, folder)
    return Layout(folder, folder, endings) if endings else None


def _folders(folder: Path) -> dict[str, Path]:
    """Return {name: path} of the folders below, hidden ones left out."""
    if not folder.is_dir():
        return {}
    # Not `iterdir`: there may be a million images, and each would be asked what it is.
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    return {name: folder / name for name in names}


def _called(folders: dict[str, Path], names: Sequence[str]) -> Path | None:
    """Return the folder that goes by one of the names, the first if there are several."""
    # In these very letters before others: many systems can tell the two apart.
    known = {name.lower(): path for name, path in folders.items()} | folders
    return next((known[name] for name in names if name in known), None)


def _label_folder(root: Path, must_exist: bool = True) -> Path:
    there = [path for name, path in _folders(root).items() if name.lower() in LABEL_FOLDERS]
    if not there and not must_exist:
        return root / LABEL_FOLDERS[0]
    if not there:
        raise UserError(f"{root}: no folder {', '.join(LABEL_FOLDERS[:3])}; one of them holds the labels")
    # Others hold what programs draw or save beside the labels.
    holding = [path for path in there if len(there) == 1 or list_images(path).files]
    if len(holding) > 1:
        names = " and ".join(sorted(path.name for path in holding))
        raise UserError(f"{root}: labels lie in {names}; keep one of these folders there")
    return (holding or there)[0]
