"""Class lists as people and tools write them: one class a line, with or without a number and a colour."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from switchseg.errors import UserError

Colour = tuple[int, int, int]

_HEX = re.compile(r"#([0-9a-fA-F]{6})\s*$")
_TRIPLE = re.compile(r"[\s,;:]+(\d+)[\s,;]+(\d+)[\s,;]+(\d+)[\s,;:]*$")  # CVAT writes name:128,64,128::
_NUMBER = re.compile(r"(\d+)[\s,;:.)=-]+(?=\S)")


class _Line(NamedTuple):
    name: str
    colour: Colour | None


def parse_class_lines(text: str, path: Path) -> tuple[list[str], list[Colour]]:
    """Return names and colours, of all classes or of none, in label order.

    A line is a name; `0 road` and `0: road` if the lines are numbered from 0; `road 128 64 128`, `road,128,64,128`,
    `road:128,64,128::` or `road #804080` with a colour. `#` before a blank, or at the start, begins a comment.

    Raises:
        UserError: the numbers do not count from 0, or only some classes have a colour.
    """
    lines = [_parse(line) for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    coloured = [line.name for line in lines if line.colour]
    # More likely a colour that was mistyped than a class without one.
    if coloured and len(coloured) < len(lines):
        bare = next(line.name for line in lines if not line.colour)
        raise UserError(f"{path}: {coloured[0]!r} has a colour and {bare!r} has none; give all classes one, or none")
    return _unnumbered([line.name for line in lines], path), [line.colour for line in lines if line.colour]


def parse_colour(value: Any) -> Colour | None:
    """Return the colour that `[r, g, b]` or `#rrggbb` stands for; None if it stands for none."""
    if isinstance(value, str):
        found = re.fullmatch(_HEX, value)
        return (int(found[1][:2], 16), int(found[1][2:4], 16), int(found[1][4:], 16)) if found else None
    if not isinstance(value, list | tuple) or len(value) != 3:
        return None
    red, green, blue = value
    return (red, green, blue) if all(type(c) is int and 0 <= c <= 255 for c in value) else None


def _parse(line: str) -> _Line:
    line = re.sub(r"\s#\s.*$", "", line)
    if found := _HEX.search(line):
        return _Line(" ".join(line[: found.start()].rstrip(" \t,;:").split()), parse_colour(found[0].strip()))
    if (found := _TRIPLE.search(line)) and (colour := parse_colour([int(part) for part in found.groups()])):
        return _Line(" ".join(line[: found.start()].split()), colour)
    return _Line(" ".join(line.split()), None)


def _unnumbered(names: list[str], path: Path) -> list[str]:
    """Take the numbers off names that are numbered from 0."""
    numbers = [int(found[1]) for name in names if (found := _NUMBER.match(name))]
    # Where only some begin with a number, it is a part of the name: `2 wheeler`.
    if not numbers or len(numbers) < len(names):
        return names
    if numbers != list(range(len(names))):
        raise UserError(
            f"{path}: the classes are numbered {numbers[0]} .. {numbers[-1]} instead of 0 .. {len(names) - 1}; leave "
            "the numbers out, and list a label_map in dataset.yaml if they are the label values"
        )
    return [_NUMBER.sub("", name, count=1) for name in names]
