"""What label values tell about likely mistakes, and the setting of dataset.yaml that mends each."""

from __future__ import annotations

from typing import NamedTuple

from switchseg.data.check import Findings
from switchseg.data.classes import IGNORED
from switchseg.data.dataset import StoredDataset

_BACKGROUNDS = ("background", "void", "unlabeled", "unlabelled", "ignore", "ignored", "none", "other")
_MOST_COLOURS = 40
_MOST_NAMED = 10


class Advice(NamedTuple):
    """A likely mistake."""

    seen: str
    """What was found, one sentence."""
    setting: str
    """What would mend it: lines for dataset.yaml, or what to do."""


def advise(found: Findings, dataset: StoredDataset) -> list[Advice]:
    """Return the likely mistakes, the gravest first."""
    checks = (_colours, _lossy, _binary, _values, _zero_based, _background, _absent, _twins)
    return [advice for check in checks if (advice := check(found, dataset))]


def _colours(found: Findings, dataset: StoredDataset) -> Advice | None:
    if not found.colours:
        return None
    count = len(found.colours)
    if count > _MOST_COLOURS:
        return Advice(
            f"Labels hold {count} different colours, too many for a mask.",
            "Export the labels as PNG files without smoothing, one class index a pixel.",
        )
    colours = sorted(found.colours, key=lambda code: -found.colours[code])
    listed = ", ".join(f"[{code >> 16}, {code >> 8 & 255}, {code & 255}]" for code in colours)
    return Advice(
        f"Labels are colour masks with {count} colours; class indices were expected.",
        f"colour_masks: true\npalette: [{listed}]  # in the order of the classes; leave out what is ignored",
    )


def _lossy(found: Findings, dataset: StoredDataset) -> Advice | None:
    if not found.lossy:
        return None
    return Advice(
        f"{len(found.lossy)} labels are JPEG files, whose compression changes label values.",
        "Export the labels as PNG.",
    )


def _binary(found: Findings, dataset: StoredDataset) -> Advice | None:
    if dataset.label_map.colours or set(found.values) != {0, IGNORED} or dataset.label_map.values.get(0) != 0:
        return None
    return Advice(
        "All labels are 0 or 255, and 255 is ignored: only one class would be trained.",
        "label_map: {0: 0, 255: 1}",
    )


def _values(found: Findings, dataset: StoredDataset) -> Advice | None:
    """Values that stand for no class."""
    known, count = dataset.label_map.values, len(dataset.classes)
    unknown = sorted(value for value in found.values if value not in known)
    if not unknown or dataset.label_map.colours:
        return None
    used = sorted(value for value in found.values if value != IGNORED)
    seen = f"Label values that stand for no class: {_listed(unknown)}."
    if unknown == [count] and known.get(0) == 0:
        zero = "0 never occurs" if 0 not in found.values else f"0 fills {_share(found, 0):.0%} of the pixels"
        return Advice(
            f"{seen} Values run up to the number of classes and {zero}, so they may be off by one.",
            "reduce_zero_label: true  # 0 is ignored, k stands for class k - 1",
        )
    if len(used) <= count:
        mapping = ", ".join(f"{value}: {index}" for index, value in enumerate(used))
        return Advice(seen, f"label_map: {{{mapping}}}  # in the order of the classes")
    return Advice(
        seen,
        f"ignore: {unknown}  # or add the missing classes"
        if len(unknown) <= _MOST_NAMED
        else "Add the missing classes, or list a label_map.",
    )


def _zero_based(found: Findings, dataset: StoredDataset) -> Advice | None:
    """Class indices that are read by ADE20K's rule."""
    last = len(dataset.classes)
    if dataset.label_map.values.get(0) != IGNORED or dataset.label_map.values.get(last) != last - 1:
        return None
    if last in found.values or last - 1 not in found.values or _share(found, 0) < 0.01:
        return None
    return Advice(
        f"Value {last} never occurs and 0 fills {_share(found, 0):.0%} of the pixels, yet 0 is ignored: the labels may "
        "be class indices that start at 0.",
        "Use `--dataset folder`, or reduce_zero_label: false",
    )


def _background(found: Findings, dataset: StoredDataset) -> Advice | None:
    name = dataset.classes.names[0].lower()
    if name not in _BACKGROUNDS or dataset.label_map.values.get(0) != 0:
        return None
    return Advice(
        f"Class 0 is called {name!r}, fills {_share(found, 0):.0%} of the pixels, and counts as a class.",
        f"reduce_zero_label: true  # and take {name!r} out of the classes, if it should be ignored",
    )


def _absent(found: Findings, dataset: StoredDataset) -> Advice | None:
    pixels = found.class_pixels(dataset)
    absent = [name for name, count in zip(dataset.classes.names, pixels, strict=True) if not count]
    if not absent or not pixels.any():
        return None
    return Advice(
        f"{len(absent)} of {len(dataset.classes)} classes never occur: {_listed(absent)}.",
        "They cannot be learned from this split; look whether labels or the class list are shifted.",
    )


def _twins(found: Findings, dataset: StoredDataset) -> Advice | None:
    twins = [name for name, count in found.names.items() if count > 1]
    if not twins:
        return None
    return Advice(
        f"{len(twins)} names belong to several images: {_listed(twins)}.",
        "Results are written under these names and would overwrite each other; rename the files.",
    )


def _share(found: Findings, value: int) -> float:
    return found.values[value] / max(1, found.values.total())


def _listed(things: list[int] | list[str]) -> str:
    shown = ", ".join(map(str, things[:_MOST_NAMED]))
    return shown if len(things) <= _MOST_NAMED else f"{shown} and {len(things) - _MOST_NAMED} more"
