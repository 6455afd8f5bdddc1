"""What stands beside the files of a data set: class names, colours, and how stored label values are to be read."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from switchseg.data.classes import IGNORED, Classes
from switchseg.data.labels import LabelMap
from switchseg.errors import UserError

CLASS_FILES = ("dataset.yaml", "classes.json", "classes.txt")


@dataclass(frozen=True)
class Description:
    """The keys of `dataset.yaml`."""

    classes: list[str] = field(default_factory=list)
    """Class names in label order; may also stand in classes.txt, one a line."""
    palette: list[list[int]] = field(default_factory=list)
    """One RGB colour, 0 .. 255, for each class."""
    reduce_zero_label: bool = False
    """Stored 0 is ignored and k stands for class k - 1, as in ADE20K."""
    label_map: dict[int, int] = field(default_factory=dict)
    """Stored value -> class index, 255 for ignored; values left out are mistakes."""
    colour_masks: bool = False
    """Labels are RGB images in the colours of the palette; black is ignored if it is no class's colour."""
    ignore: list[int] = field(default_factory=list)
    """Further stored values that are ignored."""

    def to_classes(self) -> Classes:
        """Return names and colours, well separated ones where no palette is given."""
        names = tuple(map(str, self.classes))
        if not self.palette:
            return Classes.named(names)
        return Classes(names, tuple((int(c[0]), int(c[1]), int(c[2])) for c in self.palette))

    def to_label_map(self, classes: Classes) -> LabelMap:
        """Return how stored values become class indices."""
        if self.colour_masks:
            return LabelMap.palette(classes)
        if self.label_map:
            values = {IGNORED: IGNORED, **self.label_map}
        else:
            values = (LabelMap.reduce_zero if self.reduce_zero_label else LabelMap.identity)(classes).values
        return LabelMap({**values, **dict.fromkeys(self.ignore, IGNORED)})


def describe(*folders: Path) -> Description | None:
    """Read the first of dataset.yaml, classes.json and classes.txt in the first folder that has one.

    Raises:
        UserError: the file does not say what it should; names the key.
    """
    for folder in folders:
        for name in CLASS_FILES:
            if (folder / name).is_file():
                return _read(folder / name)
    return None


def _read(path: Path) -> Description:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".txt":
            return _from_lines(text, path)
        content = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())})") from None
    if isinstance(content, list):
        content = _from_entries(content, path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: holds {type(content).__name__}; keys such as `classes` were expected")
    return _checked(content, path)


def _from_lines(text: str, path: Path) -> Description:
    """Read one class a line, with or without three numbers for its colour: `road 128 64 128`."""
    lines = [line.split("#")[0].strip() for line in text.splitlines()]
    words = [line.split() for line in lines if line]
    coloured = [len(w) > 3 and all(part.isdigit() for part in w[-3:]) for w in words]
    if words and all(coloured):
        return _checked(
            {"classes": [" ".join(w[:-3]) for w in words], "palette": [list(map(int, w[-3:])) for w in words]}, path
        )
    return _checked({"classes": [" ".join(w) for w in words]}, path)


def _from_entries(entries: list[Any], path: Path) -> dict[str, Any]:
    """Read the form that a model's config.json has: [{"name": ..., "color": [r, g, b]}, ...]; strings will do."""
    try:
        if all(isinstance(entry, str) for entry in entries):
            return {"classes": entries}
        return {"classes": [e["name"] for e in entries], "palette": [e["color"] for e in entries]}
    except (KeyError, TypeError):
        raise UserError(f'{path}: every entry needs "name" and "color"') from None


def _checked(content: dict[str, Any], path: Path) -> Description:
    known = {f.name: f for f in fields(Description)}
    if unknown := sorted(map(str, set(content) - set(known))):
        raise UserError(f"{path}: unknown key {unknown[0]!r}; the keys are {', '.join(known)}")
    description = Description(**content)
    shapes = {"classes": list, "palette": list, "ignore": list, "label_map": dict}
    for key, kind in shapes.items():
        if not isinstance(getattr(description, key), kind):
            raise UserError(f"{path}: {key} must be a {'mapping' if kind is dict else 'list'}")
    if not description.classes:
        raise UserError(f"{path}: no classes; list their names in label order")
    count = len(description.classes)
    if description.palette and len(description.palette) != count:
        raise UserError(f"{path}: {len(description.palette)} colours for {count} classes; one for each is needed")
    if any(not _is_colour(colour) for colour in description.palette):
        raise UserError(f"{path}: a colour of the palette is three whole numbers 0 .. 255")
    wrong = [k for k, v in description.label_map.items() if not _is_value(k) or not (v in range(count) or v == IGNORED)]
    if wrong or not all(map(_is_value, description.ignore)):
        raise UserError(
            f"{path}: label_map and ignore take stored values to class indices 0 .. {count - 1} or {IGNORED}"
        )
    if description.colour_masks and not description.palette:
        raise UserError(f"{path}: colour_masks needs a palette, one colour for each class")
    return description


def _is_colour(colour: Any) -> bool:
    return (
        isinstance(colour, list | tuple)
        and len(colour) == 3
        and all(isinstance(c, int) and 0 <= c <= 255 for c in colour)
    )


def _is_value(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value <= 65535
