"""Labels that hold colours: what they may stand for, and why some are no class's."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from switchseg.classes import Classes
from switchseg.data.advice import UNSMOOTHED, Advice, Reading, is_unnamed, listed
from switchseg.data.findings import Findings
from switchseg.data.labels import Meaning
from switchseg.data.readers.camvid import CAMVID
from switchseg.data.readers.cityscapes import CITYSCAPES
from switchseg.data.readers.voc import VOC
from switchseg.labels import IGNORED

_MOST_COLOURS = 40
_NEAR = 8  # levels of a channel that an export may be off by
_KNOWN = {"Pascal VOC": (VOC, [(224, 224, 192)]), "Cityscapes": (CITYSCAPES, []), "CamVid": (CAMVID, [])}

_BLACK = (0, 0, 0)

Colour = tuple[int, int, int]


def colours_of(codes: Collection[int]) -> list[Colour]:
    """Return the (red, green, blue) of stored colours."""
    return [(code >> 16, code >> 8 & 255, code & 255) for code in codes]


def _unexpected(found: Findings, meaning: Meaning) -> Advice | None:
    """Colours where class indices were expected."""
    if not found.colours or meaning.label_map.colours:
        return None
    if len(found.colours) > _MOST_COLOURS:
        return Advice(
            f"Labels hold {len(found.colours)} different colours, too many for a mask.",
            remedy="Export the labels as PNG files without smoothing, one class index a pixel.",
            stops=True,
        )
    colours = colours_of([code for code, _ in found.colours.most_common()])
    seen = f"Labels are colour masks with {len(colours)} colours; class indices were expected."
    if set(colours) & set(meaning.classes.palette) and set(colours) <= {*meaning.classes.palette, _BLACK}:
        return Advice(seen, (Reading({"colour_masks": True}, "the colours are those of the palette"),))
    for name, (known, void) in _KNOWN.items():
        palette = _palette_by_name(meaning.classes, known)
        if len(set(colours) & set(palette)) > 1 and set(colours) <= {*palette, *void, _BLACK}:
            reading = _reading(Classes(_names(meaning.classes, known), tuple(palette)), f"as in {name}", void)
            return Advice(f"{seen} They are those of {name}.", (reading,))
    readings = [_by_colour(colours, "all are classes")]
    # With two colours, black is rather the second class than void.
    if _BLACK in colours and len(colours) > 2:
        rest = [colour for colour in colours if colour != _BLACK]
        readings.insert(0, _by_colour(rest, "black is void"))
    return Advice(f"{seen} Which colour is which class cannot be told: give them their names.", tuple(readings))


def _no_class(found: Findings, meaning: Meaning) -> Advice | None:
    """Colours that are not in the palette."""
    if not meaning.label_map.colours:
        return None
    counts, classes = found.stored(meaning.label_map), meaning.classes
    unknown = colours_of(sorted((c for c in counts if c not in meaning.label_map.values), key=lambda c: -counts[c]))
    if not unknown:
        return None
    seen = f"{len(unknown)} colours are no class's: {listed(_lists(unknown))}."
    present = set(colours_of(counts))
    # `cv2.imwrite` takes blue first, so that RGB arrays come out like this.
    swapped = [colour[::-1] for colour in classes.palette]
    void = [colour[::-1] for colour in _ignored(meaning) if colour != _BLACK]
    # All of them: a colour that is right as it stands says that red and blue are not exchanged.
    if present <= {*swapped, *void, _BLACK}:
        settings = {"palette": _lists(swapped), **({"ignore": _lists(void)} if void else {})}
        reading = Reading(settings, "red and blue change places")
        return Advice(f"{seen} They are the palette's with red and blue exchanged.", (reading,))
    # What occurs as it stands keeps its colour.
    near = {
        colour: [c for c in unknown if _distance(c, colour) <= _NEAR and colour not in present]
        for colour in classes.palette
    }
    # Every unknown colour must stand for one class, and no two classes for the same colour.
    if all(len(fitting) < 2 for fitting in near.values()) and sorted(sum(near.values(), [])) == sorted(unknown):
        palette = _lists([near[colour][0] if near[colour] else colour for colour in classes.palette])
        return Advice(f"{seen} Each is close to a colour of the palette.", (Reading({"palette": palette}, "as found"),))
    if len(unknown) > _MOST_COLOURS or len(unknown) > 2 * len(classes):
        return Advice(
            f"{seen} So many are mixtures, as smoothing or resizing makes them at edges.",
            remedy=UNSMOOTHED,
            stops=True,
        )
    reading = Reading({"ignore": _lists(unknown)}, "they are void")
    return Advice(seen, (reading,), "Add classes in these colours, if they are none of void.")


def _names(classes: Classes, known: Classes) -> tuple[str, ...]:
    return known.names if is_unnamed(classes) else classes.names


def _palette_by_name(classes: Classes, known: Classes) -> list[Colour]:
    """Return the colours that a known data set has for classes, by their names; none if it lacks one."""
    colours = dict(zip((name.casefold() for name in known.names), known.palette, strict=True))
    names = [name.casefold() for name in _names(classes, known)]
    return [colours[name] for name in names] if set(names) <= colours.keys() else []


def _by_colour(colours: list[Colour], meaning: str) -> Reading:
    names = tuple(f"colour {red} {green} {blue}" for red, green, blue in colours)
    return _reading(Classes(names, tuple(colours)), meaning)


def _reading(classes: Classes, meaning: str, void: Collection[Colour] = ()) -> Reading:
    settings = {
        "colour_masks": True,
        "palette": _lists(classes.palette),
        "classes": list(classes.names),
        **({"ignore": _lists(void)} if void else {}),
    }
    return Reading(settings, meaning)


def _ignored(meaning: Meaning) -> list[Colour]:
    return colours_of([code for code, index in meaning.label_map.values.items() if index == IGNORED])


def _lists(colours: Iterable[Colour]) -> list[list[int]]:
    """Return colours as dataset.yaml holds them."""
    return [list(colour) for colour in colours]


def _distance(one: Colour, other: Colour) -> int:
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


CHECKS = (_unexpected, _no_class)
