"""What a data set says of itself: class names, colours, and how stored label values are to be read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from switchseg.classes import Classes
from switchseg.data.class_files import parse_class_lines, parse_colour
from switchseg.data.labels import LabelMap, MapOf, Meaning
from switchseg.errors import UserError
from switchseg.labels import IGNORED
from switchseg.settings import from_mapping
from switchseg.text import parse_yaml


@dataclass(frozen=True)
class Description:
    """The keys of `dataset.yaml`."""

    classes: list[str] = field(default_factory=list)
    """Class names in label order; may also stand in classes.txt, one a line."""
    palette: list[list[int]] = field(default_factory=list)
    """One RGB colour, 0 .. 255, for each class."""
    reduce_zero_label: bool | None = None
    """Stored 0 is ignored and k stands for class k - 1, as in ADE20K; None leaves it to the data set."""
    label_map: dict[int, int] = field(default_factory=dict)
    """Stored value -> class index, 255 for ignored; values left out are mistakes."""
    colour_masks: bool = False
    """Labels are RGB images in the colours of the palette; black is ignored if it is no class's colour."""
    ignore: list[Any] = field(default_factory=list)
    """Further stored values, or colours of colour masks, that are ignored."""
    exif_orientation: Literal["auto", "apply", "ignore"] = "auto"
    """`apply` it to the images, `ignore` it, or `auto`: apply it unless the label fits only the stored pixels."""

    def meaning(self, name: object, own: Classes | None = None, label_map: MapOf = LabelMap.identity) -> Meaning:
        """Return the classes and what label values stand for.

        Args:
            name: what to call the description in an error, such as its path.
            own: the data set's classes where the description lists none.
            label_map: what values stand for where the description does not say.

        Raises:
            UserError: there are no classes, or a setting does not fit their number.
        """
        try:
            classes = self._classes(own)
            return Meaning(classes, self._label_map(classes, label_map), self.exif_orientation)
        except UserError as error:
            raise UserError(f"{name}: {error}") from None

    def _label_map(self, classes: Classes, usual: MapOf) -> LabelMap:
        if self.colour_masks:
            if self.classes and not self.palette:
                raise UserError("colour_masks needs a palette, one colour for each class")
            return LabelMap.palette(classes, [colour for value in self.ignore if (colour := parse_colour(value))])
        if self.label_map:
            if wrong := [v for v in self.label_map.values() if not 0 <= v < len(classes) and v != IGNORED]:
                raise UserError(f"label_map names class {wrong[0]}; they are 0 .. {len(classes) - 1}, or {IGNORED}")
            # 255 comes first, so that a label map may give it to a class, as for masks of 0 and 255.
            mapped = LabelMap({IGNORED: IGNORED, **self.label_map})
        elif self.reduce_zero_label is not None:
            mapped = (LabelMap.reduce_zero if self.reduce_zero_label else LabelMap.identity)(classes)
        else:
            mapped = usual(classes)
        return LabelMap({**mapped.values, **dict.fromkeys(self.ignore, IGNORED)}, mapped.colours)

    def settings(self) -> dict[str, Any]:
        """Return the keys that say something, as dataset.yaml holds them."""
        return {key: value for key, value in asdict(self).items() if value != getattr(Description(), key)}

    def _classes(self, own: Classes | None) -> Classes:
        if not self.classes and own is None:
            raise UserError("no classes; list their names in label order, here or in classes.txt")
        classes = Classes.named(tuple(self.classes)) if self.classes or own is None else own
        if not self.palette:
            return classes
        if len(self.palette) != len(classes):
            raise UserError(f"{len(self.palette)} colours for {len(classes)} classes; one for each is needed")
        return Classes(classes.names, tuple((c[0], c[1], c[2]) for c in self.palette))


def parse_description(text: str, path: Path, names: Sequence[str] = ()) -> Description:
    """Return the description that the text of a class file or of dataset.yaml holds.

    `names` are the classes that it may speak of where it names none itself.

    Raises:
        UserError: it does not say what it should; names `path` and the key.
    """
    if path.suffix == ".txt":
        names, colours = parse_class_lines(text, path)
        return _checked({"classes": names, "palette": [list(colour) for colour in colours]}, path)
    if path.suffix == ".json":
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}: cannot be read as JSON ({error})") from None
    else:
        # An empty file, or one of comments alone, says nothing and is no mistake.
        content = parse_yaml(text, path) or {}
    if isinstance(content, list):
        content = _from_entries(content, path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds {type(content).__name__}; keys such as `classes` were expected")
    return _checked(content, path, names)


def _from_entries(entries: list[Any], path: Path) -> dict[str, Any]:
    """Read the form that a model's config.json has: [{"name": ..., "color": [r, g, b]}, ...]; strings will do."""
    try:
        if all(isinstance(entry, str) for entry in entries):
            return {"classes": entries}
        return {"classes": [e["name"] for e in entries], "palette": [e["color"] for e in entries]}
    except (KeyError, TypeError):
        raise UserError(f'{path}: every entry needs "name" and "color"') from None


def _checked(content: dict[str, Any], path: Path, known: Sequence[str] = ()) -> Description:
    names = _names(content.get("classes", []), path)
    content = {
        **content,
        "classes": names,
        "palette": _colours(content.get("palette", []), "a colour of the palette", path),
        "label_map": _values(content.get("label_map", {}), names or list(known), path),
    }
    if content.get("colour_masks"):
        content["ignore"] = _colours(content.get("ignore", []), "with colour_masks, what to ignore", path)
    description = from_mapping(Description, content, str(path))
    if not description.colour_masks and not all(map(_is_value, description.ignore)):
        raise UserError(f"{path}: ignore lists stored label values, whole numbers 0 .. 65535")
    exclusive = [key for key in ("label_map", "reduce_zero_label", "colour_masks") if getattr(description, key)]
    if len(exclusive) > 1:
        raise UserError(f"{path}: {' and '.join(exclusive)} contradict each other; give one of them")
    return description


def _names(classes: Any, path: Path) -> list[str]:
    if isinstance(classes, dict) and list(classes) == list(range(len(classes))):
        classes = list(classes.values())
    if not isinstance(classes, list):
        raise UserError(f"{path}: classes must be a list of names, or a mapping from 0, 1, ... to them")
    for index, name in enumerate(classes):
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            hint = " (YAML takes on, off, yes and no for truth values)" if isinstance(name, bool) else ""
            raise UserError(f"{path}: class {index} is {name!r}{hint}; write its name as text, in quotes")
    names = [name.strip() for name in classes]
    for index, name in enumerate(names):
        if name in names[:index]:
            raise UserError(f"{path}: two classes are called {name!r}; give each a name of its own")
    return names


def _colours(values: Any, what: str, path: Path) -> Any:
    """Return colours as three numbers each; leave what is no list."""
    if not isinstance(values, list):
        return values
    colours = [parse_colour(value) for value in values]
    if None in colours:
        raise UserError(
            f"{path}: {what} is three whole numbers 0 .. 255, or '#rrggbb'; not {values[colours.index(None)]!r}"
        )
    return [list(colour) for colour in colours if colour]


def _values(label_map: Any, names: list[str], path: Path) -> Any:
    """Check the stored values of a label map, in which classes may stand by their names; leave what is no map."""
    if not isinstance(label_map, dict):
        return label_map
    mapped = {value: names.index(index) if index in names else index for value, index in label_map.items()}
    for value, index in mapped.items():
        if not _is_value(value) or not _is_value(index) or index > IGNORED:
            raise UserError(
                f"{path}: label_map takes stored values, whole numbers without quotes, to class indices or names, or "
                f"{IGNORED}; not {value!r} to {index!r}"
            )
    return mapped


def _is_value(value: Any) -> bool:
    # Not `isinstance`, for which True and False are whole numbers.
    return type(value) is int and 0 <= value <= 65535
