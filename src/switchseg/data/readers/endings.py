"""What the names of images and of their labels end in: `a_image.jpg` and `a_mask.png` belong together by `a`."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from switchseg.data.images import FORMATS
from switchseg.errors import UserError

_SEPARATORS = " ._-"
_SHOWN = 3
# What the words of an ending begin with; of images and labels in one folder they say which is which.
_OF_LABELS = ("annot", "groundtruth", "gt", "label", "lbl", "mask", "seg", "target", "trimap", "truth")
_OF_IMAGES = ("image", "img", "input", "leftimg", "orig", "photo", "pic", "raw", "rgb", "sat")


class Ending(NamedTuple):
    """What the names of files have beyond what images and labels share."""

    word: str = ""
    """What stands before the suffix, such as `_mask` or `.mask`."""
    suffix: str = ""
    """One of `SUFFIXES`; empty for any of them. One of JPEG stands for all of JPEG."""

    def __str__(self) -> str:
        return f"*{self.word}{self.suffix or '.*'}"


PLAIN = Ending()
"""Nothing beyond the suffix, whichever that is."""

Endings = tuple[Ending, Ending]
"""Those of images and of labels."""


def endings_between(images: Collection[str], labels: Collection[str], folders: tuple[Path, Path]) -> Endings:
    """Return the endings that give most images a label, where images and labels lie in a folder each.

    Args:
        images: Paths below the one folder, without suffixes.
        labels: Those below the other.
        folders: The two, to be named in an error.

    Raises:
        UserError: different kinds of labels would do, or some images have not the ending of the others.
    """
    # Where every image has its partner, endings are not guessed at, even if all names share one.
    if set(images) <= set(labels) or not (counts := _count(images, labels, len(images) / 2)):
        return PLAIN, PLAIN
    best = _most_frequent(counts)
    ending = min((pair[0] for pair in best), key=len)
    label_ending, *others = sorted(pair[1] for pair in best if pair[0] == ending)
    if others:
        kinds = _listed([label_ending, *others])
        raise UserError(f"{folders[1]}: labels of several kinds, {kinds}; keep one of them there")
    _require_all(images, (ending,), folders[0])
    return Ending(ending), Ending(label_ending)


def endings_within(names: Iterable[str], folder: Path) -> Endings | None:
    """Return the endings of images and labels that lie in one folder; None if most images would have no label.

    Args:
        names: Those of the image files.
        folder: The folder, to be named in an error.

    Raises:
        UserError: different kinds of labels would do, nothing tells images from labels, or some files are neither.
    """
    suffixes: dict[str, set[str]] = defaultdict(set)
    for name in names:
        stem, suffix = os.path.splitext(name)
        suffixes[stem].add(suffix.lower())
    if by_suffix := _lossless_beside_jpeg(suffixes.values()):
        return by_suffix
    counts = _count(suffixes, suffixes, len(suffixes) / 4)
    # A kind goes with another one, not with itself.
    counts = Counter({pair: count for pair, count in counts.items() if pair[0] != pair[1]})
    if not counts:
        return None
    best = _most_frequent(counts)
    # A few accidental pairs do not make a layout.
    if 4 * counts[best[0]] < len(suffixes):
        return None
    # Sorted by length: any name ends in an empty first one, so that it is told by not ending in the second.
    kinds = sorted({ending for pair in best for ending in pair}, key=lambda ending: (len(ending), ending))
    if len(kinds) > 2:
        # `_gtFine_color` is one kind, of which `_color` is a part.
        whole = [kind for kind in kinds if not kind or sum(other.endswith(kind) for other in kinds) == 1]
        raise UserError(f"{folder}: files of several kinds, {_listed(whole)}; keep images and one kind of labels there")
    _require_all(suffixes, tuple(kinds), folder)
    files: dict[str, set[str]] = {kind: set() for kind in kinds}
    for stem, of_stem in suffixes.items():
        files[kinds[stem.endswith(kinds[1])]] |= of_stem
    label_ending = _label_ending(files, folder)
    return Ending(kinds[kinds[0] == label_ending]), Ending(label_ending)


def _endings(stem: str) -> list[str]:
    """Return what a name may end in: `_gt_mask` and `_mask` of `street_gt_mask`, and nothing."""
    start = stem.rfind("/") + 2
    return [stem[place:] for place in range(start, len(stem)) if stem[place] in _SEPARATORS] + [""]


def _count(images: Collection[str], labels: Collection[str], least: float) -> Counter[tuple[str, str]]:
    """Return {an ending of images, one of labels: images that have a label by them}.

    The ending of images is empty, or made of words that more than `least` of them end in.
    """
    shared = Counter(ending for stem in images for ending in _endings(stem))
    # Numbers are what tells images from each other, even if many end in the same.
    common = {ending for ending, count in shared.items() if count > least and all(map(_is_word, _words(ending)))}
    bases = defaultdict(list)
    for stem in images:
        for ending in common.intersection(_endings(stem)):
            bases[stem.removesuffix(ending)].append(ending)
    return Counter(
        (ending, label_ending)
        for stem in labels
        for label_ending in _endings(stem)
        for ending in bases.get(stem.removesuffix(label_ending), ())
    )


def _words(ending: str) -> list[str]:
    return [word for word in re.split(f"[{_SEPARATORS}]", ending.lower()) if word]


def _is_word(text: str) -> bool:
    return any(map(str.isalpha, text))


def _most_frequent(counts: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the pairs of endings that match most; of those that match the same files by more or less, the shortest."""
    most = max(counts.values())
    best = [pair for pair, count in counts.items() if count == most]
    # `a_1` and `a_1_mask` share more than `a`.
    return [pair for pair in best if not any(_extends(pair, shorter) for shorter in best)]


def _extends(pair: tuple[str, str], shorter: tuple[str, str]) -> bool:
    """Return whether both endings are those of the other pair with the same before them."""
    starts = {
        ending.removesuffix(end) if ending.endswith(end) else None for ending, end in zip(pair, shorter, strict=True)
    }
    return pair != shorter and len(starts) == 1 and None not in starts


def _require_all(stems: Collection[str], endings: tuple[str, ...], folder: Path) -> None:
    """Raise a UserError if some names have none of the endings."""
    if others := sorted(stem for stem in stems if not stem.endswith(endings)):
        shown = ", ".join(others[:_SHOWN]) + ", ..." * (len(others) > _SHOWN)
        raise UserError(
            f"{folder}: {len(others)} of {len(stems)} names do not end in {' or '.join(endings)} as the others do "
            f"({shown}); rename or move these files"
        )


def _listed(endings: Iterable[str]) -> str:
    return ", ".join(f"*{ending}" for ending in endings)


def _lossless_beside_jpeg(suffixes: Collection[set[str]]) -> Endings | None:
    """Return the endings where photographs are JPEG files, and most have a namesake in one other format."""
    # Other pairs of formats would leave open which is which.
    others = {suffix for of_stem in suffixes for suffix in of_stem} - set(FORMATS["JPEG"])
    if len(others) != 1 or not all(of_stem - others for of_stem in suffixes):
        return None
    labelled = sum(others <= of_stem for of_stem in suffixes)
    return (Ending(suffix=".jpg"), Ending(suffix=others.pop())) if 2 * labelled > len(suffixes) else None


def _label_ending(suffixes: dict[str, set[str]], folder: Path) -> str:
    """Return which of two kinds of files are labels: by words, by suffixes, or as the one that has an ending.

    Args:
        suffixes: Ending of each kind -> suffixes of its files.
        folder: Where they lie.
    """
    one, other = suffixes
    # Signs that one is the labels, and that the other is; the first that tells them apart counts.
    signs = (
        (_begins(one, _OF_LABELS), _begins(other, _OF_LABELS)),
        (_begins(other, _OF_IMAGES), _begins(one, _OF_IMAGES)),
        (_are_photographs(suffixes[other]), _are_photographs(suffixes[one])),
        (not other, not one),
    )
    for for_one, for_other in signs:
        if for_one != for_other:
            return one if for_one else other
    raise UserError(
        f"{folder}: *{one} and *{other} belong together, but which are the labels cannot be told; put the images into "
        "images/ and the labels into labels/"
    )


def _are_photographs(suffixes: set[str]) -> bool:
    return suffixes <= set(FORMATS["JPEG"])


def _begins(ending: str, words: tuple[str, ...]) -> bool:
    return any(word.startswith(words) for word in _words(ending))
