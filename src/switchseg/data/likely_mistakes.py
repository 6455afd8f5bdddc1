"""What the findings about a data set tell of likely mistakes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from switchseg.data import colour_advice, value_advice
from switchseg.data.advice import Advice, Reading, is_unnamed, listed, share
from switchseg.data.findings import Findings
from switchseg.data.labels import Meaning
from switchseg.data.readers.voc import VOC
from switchseg.labels import IGNORED

_VOIDS = ("background", "void", "unlabeled", "unlabelled", "ignore", "ignored", "none", "other")


def advise(found: Findings, meaning: Meaning) -> list[Advice]:
    """Return the likely mistakes in what was found, if labels have this meaning, the gravest first."""
    checks: Sequence[Callable[[Findings, Meaning], Advice | None]] = (
        *colour_advice.CHECKS,
        _lossy,
        *value_advice.CHECKS,
        *(_orientation, _background, _absent, _twins),
    )
    advices = [advice for check in checks if (advice := check(found, meaning))]
    # With one class because of a mistake that is already named, this would only repeat it.
    if not any(advice.stops for advice in advices):
        advices += filter(None, [_too_few_classes(found, meaning)])
    return advices


def compare_splits(parts: Mapping[str, Findings], meaning: Meaning) -> list[Advice]:
    """Return the mistakes that only show between splits."""
    if "train" not in parts:
        return []
    trained = parts["train"].class_pixels(meaning)
    advices = []
    for split, part in parts.items():
        untrained = (part.class_pixels(meaning) > 0) & (trained == 0)
        names = [name for name, only_here in zip(meaning.classes.names, untrained, strict=True) if only_here]
        if names:
            seen = f"{len(names)} classes occur in {split} but never in train: {listed(names)}."
            advices.append(Advice(seen, remedy="They cannot be learned, and count against the score.", optional=True))
    return advices


def _lossy(found: Findings, meaning: Meaning) -> Advice | None:
    if not found.lossy:
        return None
    seen = f"{len(found.lossy)} labels are JPEG files, whose compression changes label values."
    # Black and white survive where areas end at the blocks of the file.
    clean = {0, IGNORED} if is_unnamed(meaning.classes) else meaning.label_map.values.keys()
    stops = not found.values.keys() <= clean
    return Advice(seen, remedy="Export the labels as PNG.", stops=stops)


def _too_few_classes(found: Findings, meaning: Meaning) -> Advice | None:
    pixels = found.class_pixels(meaning)
    occurring = pixels.nonzero()[0]
    # Values that stand for no class may be the other classes: what they are comes first.
    if found.stored(meaning.label_map).keys() - meaning.label_map.values.keys():
        return None
    if not len(occurring) and found.stored(meaning.label_map) and not found.problems:
        remedy = "Give the classes their values: list a label_map, or take them out of `ignore`."
        return Advice("No class is in the labels: every pixel is ignored.", remedy=remedy, stops=True)
    if len(occurring) != 1:
        return None
    name = meaning.classes.names[occurring[0]]
    return Advice(
        f"Only one class is in the labels, {name!r}: every model would be perfect.",
        remedy="A training needs two classes or more; give the rest of the images a class too.",
        stops=True,
    )


def _orientation(found: Findings, meaning: Meaning) -> Advice | None:
    """Labels of turned images whose size does not tell which pixels they were drawn on."""
    unsure, stored, upright = (found.drawn_on[key] for key in ("either", "stored", "upright"))
    if not unsure or meaning.exif_orientation != "auto":
        return None
    ignore = Reading({"exif_orientation": "ignore"}, "labels were drawn on the pixels as they are stored")
    apply = Reading({"exif_orientation": "apply"}, "labels were drawn on upright images")
    seen = (
        f"{unsure} images have an EXIF orientation that turns them by 180 degrees, mirrors them, or turns a square: "
        "the size of their labels does not tell whether these were drawn on the upright image or on the stored pixels"
    )
    if bool(stored) == bool(upright):
        return Advice(f"{seen}, and other pairs do not tell either. They are read as upright.", (apply, ignore))
    if upright:
        return None
    return Advice(f"{seen}, but those of {stored} other turned images fit the stored pixels only.", (ignore, apply))


def _background(found: Findings, meaning: Meaning) -> Advice | None:
    name = meaning.classes.names[0]
    if name.lower() not in _VOIDS or meaning.label_map.values.get(0) != 0 or len(meaning.classes) < 3:
        return None
    # Of colours, and of values that do not count like the classes, reduce_zero_label would make others.
    mapped = {value: index for value, index in meaning.label_map.values.items() if index != IGNORED}
    if meaning.label_map.colours or any(value != index for value, index in mapped.items()):
        return None
    if meaning.classes.names == VOC.names:
        # Its background is a class by its own rules.
        return None
    rest = list(meaning.classes.names[1:])
    return Advice(
        f"Class 0 is called {name.lower()!r}, fills {share(found, 0):.0%} of the pixels, and counts as a class.",
        (Reading({"reduce_zero_label": True, "classes": rest}, "if it should be ignored"),),
        optional=True,
    )


def _absent(found: Findings, meaning: Meaning) -> Advice | None:
    pixels = found.class_pixels(meaning)
    absent = [name for name, count in zip(meaning.classes.names, pixels, strict=True) if not count]
    if not absent or not pixels.any() or is_unnamed(meaning.classes):
        return None
    return Advice(
        f"{len(absent)} of {len(meaning.classes)} classes never occur: {listed(absent)}.",
        remedy="They cannot be learned from these labels; look whether labels or the class list are shifted.",
        optional=True,
    )


def _twins(found: Findings, meaning: Meaning) -> Advice | None:
    repeated = [name for name, count in found.files.items() if count > 1]
    if repeated:
        return Advice(
            f"{len(repeated)} images are listed several times: {listed(repeated)}.",
            remedy="Training shows them as often, and an evaluation counts them as often; leave them out if unmeant.",
        )
    twins = [name for name, count in found.names.items() if count > 1]
    if not twins:
        return None
    return Advice(
        f"{len(twins)} names belong to several images: {listed(twins)}.",
        remedy="Results are written under these names and would overwrite each other; rename the files.",
    )
