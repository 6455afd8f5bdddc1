"""Where images and labels lie in a folder that somebody made: the usual arrangements of folders and names."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from switchseg.data.dataset import MissingSplitError
from switchseg.data.images import FORMATS, SUFFIXES
from switchseg.data.paths import has_suffix
from switchseg.data.readers.pairs import PLAIN, Ending, list_images
from switchseg.data.splits import ALL_WORDS, words_for
from switchseg.errors import UserError

IMAGE_FOLDER = "images"
LABEL_FOLDERS = ("annotations", "masks", "labels")


class Layout(NamedTuple):
    """Two folders and what the names of their files end in, as `open_pairs` takes them."""

    images: Path
    labels: Path
    endings: tuple[Ending, Ending] = (PLAIN, PLAIN)


def find_layout(root: Path, split: str) -> Layout:
    """Return where the images and labels of a split lie below `root`.

    They are images/SPLIT and labels/SPLIT; or SPLIT/images and SPLIT/labels; or SPLIT with `a.jpg` beside
    `a_mask.png`, or beside `a.png`; or any of it without splits, with or without folders below. The labels' folder
    may be called annotations or masks, and labels may have an ending of their own.

    Raises:
        MissingSplitError: there are other splits.
        UserError: there is none of these, or labels of two kinds.
    """
    # Folders of splits before those without: a folder `images` of the first kind holds no images itself.
    for name in words_for(split):
        if (root / IMAGE_FOLDER / name).is_dir():
            return _with_endings(root / IMAGE_FOLDER / name, _label_folder(root) / name)
        if (root / name / IMAGE_FOLDER).is_dir():
            return _with_endings(root / name / IMAGE_FOLDER, _label_folder(root / name))
        if (root / name).is_dir() and (layout := _side_by_side(root / name)):
            return layout
    splits = _splits(root)
    # Folders of which none is called like a split are towns or days, unless one of them was asked for by its name.
    if not ALL_WORDS.isdisjoint(splits) or (splits and split not in ALL_WORDS):
        raise MissingSplitError(f"{root / IMAGE_FOLDER / split}: no such folder; there is {', '.join(splits)}")
    if (root / IMAGE_FOLDER).is_dir():
        return _with_endings(root / IMAGE_FOLDER, _label_folder(root))
    if root.is_dir() and (layout := _side_by_side(root)):
        return layout
    raise UserError(
        f"{root}: no folder `{IMAGE_FOLDER}`; the layout is {IMAGE_FOLDER}/ and {'|'.join(LABEL_FOLDERS)}/, each with "
        "or without folders of the splits, or SPLIT/ with both in it, or a.jpg beside a_mask.png"
    )


def _splits(root: Path) -> list[str]:
    """Return the names of the splits that there are: folders in `images`, or folders that hold images and labels."""
    around = [path for path in _folders(root) if path.name in ALL_WORDS]
    own = [path for path in around if (path / IMAGE_FOLDER).is_dir() or _side_by_side(path)]
    return sorted(path.name for path in _folders(root / IMAGE_FOLDER) + own)


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]


def _label_folder(root: Path) -> Path:
    labels = [root / name for name in LABEL_FOLDERS if (root / name).is_dir()]
    if not labels:
        raise UserError(f"{root}: no folder {', '.join(LABEL_FOLDERS)}; one of them holds the labels")
    return labels[0]


def _with_endings(images: Path, labels: Path) -> Layout:
    found, partners = list_images(images).files.keys(), list_images(labels).files.keys()
    # Where every image has its partner, endings are not guessed at, even if all names share one.
    if not found <= partners:
        for ending in ("", _shared_ending(found)):
            stems = {stem.removesuffix(ending) for stem in found}
            if stems <= partners:
                return Layout(images, labels, (Ending(ending), PLAIN))
            if label_ending := _label_ending(stems, partners, labels):
                return Layout(images, labels, (Ending(ending), Ending(label_ending)))
    return Layout(images, labels)


def _side_by_side(folder: Path) -> Layout | None:
    """Return the layout of a folder that holds both images and labels; None if it does not."""
    suffixes: dict[str, set[str]] = {}
    for name in os.listdir(folder):
        stem, suffix = os.path.splitext(name)
        if not name.startswith(".") and has_suffix(name, SUFFIXES):
            suffixes.setdefault(stem, set()).add(suffix.lower())
    # Photographs are JPEG and labels PNG; other pairs of suffixes would leave open which is which.
    if suffixes and all(len(both) == 2 and both.difference(FORMATS["JPEG"]) == {".png"} for both in suffixes.values()):
        return Layout(folder, folder, (Ending(suffix=".jpg"), Ending(suffix=".png")))
    fitting = []
    for ending in sorted(
        {ending for stem in suffixes for ending in _endings(stem) if stem.removesuffix(ending) in suffixes}
    ):
        labels = {stem for stem in suffixes if stem.endswith(ending)}
        if {stem.removesuffix(ending) for stem in labels} == suffixes.keys() - labels:
            fitting.append(ending)
    return Layout(folder, folder, (PLAIN, Ending(fitting[0]))) if len(fitting) == 1 else None


def _label_ending(stems: Collection[str], labels: Collection[str], folder: Path) -> str:
    """Return the one ending with which every image's stem is that of a label; empty if there is none."""
    endings = {ending for label in labels for ending in _endings(label) if label.removesuffix(ending) in stems}
    fitting = sorted(ending for ending in endings if all(stem + ending in labels for stem in stems))
    if len(fitting) > 1:
        kinds = ", ".join(f"*{ending}" for ending in fitting)
        raise UserError(f"{folder}: labels of several kinds, {kinds}; keep one of them there")
    return fitting[0] if fitting else ""


def _endings(stem: str) -> list[str]:
    """Return what a name may end in: `_gt_mask` and `_mask` of `street_gt_mask`."""
    return [stem[place:] for place, character in enumerate(stem) if character in "_-." and place]


def _shared_ending(stems: Collection[str]) -> str:
    """Return the last word, such as `_image`, that all stems end in; empty if there is none."""
    endings = {found[0] if (found := re.search(r"[_.-][A-Za-z0-9]*[A-Za-z]$", stem)) else "" for stem in stems}
    return endings.pop() if len(endings) == 1 else ""
