"""Labels that hold values: which of them stand for no class, and what they may be instead."""

from __future__ import annotations

from switchseg.data.advice import MOST_NAMED, UNSMOOTHED, Advice, Reading, is_unnamed, listed, share
from switchseg.data.findings import Findings
from switchseg.data.labels import Meaning
from switchseg.data.readers.camvid import CAMVID
from switchseg.labels import IGNORED

_BACKGROUND = "background"
_FEWEST_SMOOTHED = 16
"""Values that lie along edges: fewer may be thin things."""


def _binary(found: Findings, meaning: Meaning) -> Advice | None:
    """Masks of 0 and 255, as drawing programs save them."""
    known, names = meaning.label_map.values, meaning.classes.names
    if meaning.label_map.colours or found.values.keys() != {0, IGNORED} or known.get(0) != 0 or known.get(IGNORED) == 1:
        return None
    settings: dict[str, object] = {"label_map": {0: 0, IGNORED: 1}}
    seen = "All labels are 0 or 255, and 255 is ignored: only one class would be trained."
    if len(names) == 1:
        seen = f"Two classes are in the labels, 0 and 255, and one name was given, {names[0]!r}; 255 is ignored."
        settings = {"classes": [_BACKGROUND, names[0]], **settings}
    elif is_unnamed(meaning.classes):
        settings = {"classes": list(names[:2]), **settings}
    classes = settings.get("classes", names)
    assert isinstance(classes, list | tuple)
    return Advice(seen, (Reading(settings, f"0 is {classes[0]!r}, 255 is {classes[1]!r}"),), stops=True)


def _smoothed(found: Findings, meaning: Meaning) -> Advice | None:
    """Values between those of two areas, as masks have them that were scaled or drawn with soft edges."""
    # JPEG adds values of its own, which is told of by itself.
    if meaning.label_map.colours or found.lossy:
        return None
    # What lies along edges has another value beside most of its pixels.
    thin = [value for value, pixels in found.values.items() if 2 * found.edges[value] > pixels]
    # Where all is made of edges it is noise, or very small.
    filled = sum(share(found, value) for value in thin)
    if len(thin) < _FEWEST_SMOOTHED or 2 * len(thin) < len(found.values) or filled > 0.5:
        return None
    seen = f"{len(found.values)} values are in the labels, {len(thin)} along edges alone, as smoothing leaves them."
    return Advice(seen, remedy=UNSMOOTHED, stops=True)


def _gaps(found: Findings, meaning: Meaning) -> Advice | None:
    """Values far apart that nobody has named: grey levels, as drawing programs have them, not indices."""
    used = sorted(found.values)
    levels = [value for value in used if value != IGNORED]
    # Whoever lists classes has said how many there are, used or not; and JPEG adds values of its own.
    if meaning.label_map.colours or len(meaning.classes) < IGNORED or not 2 <= len(used) <= IGNORED or found.lossy:
        return None
    if _smoothed(found, meaning) or len(levels) < 2 or 2 * len(levels) > levels[-1] + 1:
        return None
    readings = [_by_value(used, "each value is a class")]
    if IGNORED in used:
        readings.append(_by_value(levels, f"{IGNORED} is void"))
    seen = f"{len(used)} values are in the labels, {listed(used)}, too far apart for class indices."
    return Advice(seen, tuple(readings))


def _by_value(values: list[int], meaning: str) -> Reading:
    names = [f"value {value}" for value in values]
    return Reading({"classes": names, "label_map": {value: index for index, value in enumerate(values)}}, meaning)


def _unknown(found: Findings, meaning: Meaning) -> Advice | None:
    """Values that stand for no class."""
    known, names = meaning.label_map.values, meaning.classes.names
    unknown = sorted(value for value in found.values if value not in known)
    if not unknown or meaning.label_map.colours or _gaps(found, meaning) or _smoothed(found, meaning):
        return None
    used = sorted(value for value in found.values if value != IGNORED)
    if unknown == [len(names)] and known.get(0) == 0:
        return _one_too_many(found, meaning, used)
    seen = f"Label values that stand for no class: {listed(unknown)}."
    in_order = Reading({"label_map": {value: index for index, value in enumerate(used)}}, "in the order of the classes")
    ignore = Reading({"ignore": unknown}, "they are void")
    extended = [*names, *(f"class {index}" for index in range(len(names), max(unknown) + 1))]
    more = Reading({"classes": extended}, "they are classes without a name yet")
    readings = [ignore] if len(unknown) <= MOST_NAMED else []
    if known.get(0) == 0 and max(unknown) < IGNORED and unknown == list(range(len(names), max(unknown) + 1)):
        # Void is the lesser part of a data set.
        filled = sum(share(found, value) for value in unknown)
        readings.insert(0 if filled > 0.5 else len(readings), more)
    if len(used) <= len(names):
        # Grey levels spread over the range are meant in their order; one value beyond it is rather void.
        readings.insert(0 if 2 * len(unknown) >= len(used) else len(readings), in_order)
    return Advice(seen, tuple(readings), "" if readings else "Add the missing classes, or list a label_map.")


def _one_too_many(found: Findings, meaning: Meaning, used: list[int]) -> Advice:
    """Values 0 .. C for C names: the first or the last value is void, or a name is missing."""
    names, count = meaning.classes.names, len(meaning.classes)
    first = Reading({"reduce_zero_label": True}, f"0 is void, 1 is {names[0]!r}, {count} is {names[-1]!r}")
    last = Reading({"ignore": [count]}, f"0 is {names[0]!r}, {count - 1} is {names[-1]!r}, {count} is void")
    unnamed = Reading({"classes": [_BACKGROUND, *names]}, f"0 is a class without a name yet, 1 is {names[0]!r}")
    if count == 1:
        seen = f"Two classes are in the labels, {listed(used)}, and one name was given, {names[0]!r}."
        return Advice(seen, (unnamed,) if 0 in used else (first,), stops=True)
    seen = f"Label values that stand for no class: {count}. Values run up to the number of classes"
    if 0 not in used:
        return Advice(f"{seen} and 0 never occurs, so they are probably off by one.", (first, last))
    seen = f"{seen}; 0 fills {share(found, 0):.0%} of the pixels and {count} fills {share(found, count):.0%}."
    if [name.casefold() for name in names] == [name.casefold() for name in CAMVID.names]:
        return Advice(f"{seen} The classes are CamVid's, whose last value is void.", (last, first))
    if share(found, 0) > 0.5:
        return Advice(f"{seen} 0 looks like a background.", (first, unnamed, last))
    # Void runs along the edges of things.
    thin = [found.edges[value] / found.values[value] for value in (0, count)]
    seen = f"{seen} {0 if thin[0] > thin[1] else count} has more edges for its size, as void has."
    return Advice(seen, (first, last, unnamed) if thin[0] > thin[1] else (last, first, unnamed))


def _zero_based(found: Findings, meaning: Meaning) -> Advice | None:
    """Class indices that are read by ADE20K's rule."""
    last, known = len(meaning.classes), meaning.label_map.values
    if meaning.label_map.colours or known.get(0) != IGNORED or known.get(last) != last - 1:
        return None
    # By ADE20K's rule the highest value should occur as well; indices from 0 end one below it.
    if last in found.values or last - 1 not in found.values or share(found, 0) < 0.01:
        return None
    names = meaning.classes.names
    return Advice(
        f"Value {last} never occurs and 0 fills {share(found, 0):.0%} of the pixels, yet 0 is ignored: the labels may "
        "be class indices that start at 0.",
        (
            Reading({"reduce_zero_label": False}, f"0 is {names[0]!r}, {last - 1} is {names[-1]!r}"),
            Reading({"reduce_zero_label": True}, f"as it is now: 0 is void, 1 is {names[0]!r}"),
        ),
        optional=found.class_pixels(meaning).astype(bool).sum() > 1,
    )


CHECKS = (_binary, _smoothed, _gaps, _unknown, _zero_based)
