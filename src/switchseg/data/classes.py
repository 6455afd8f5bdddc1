"""The classes of a data set: names, colours, and the label value that stands for none of them."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass
from typing import Any

from switchseg.labels import IGNORED as IGNORED


@dataclass(frozen=True)
class Classes:
    """Names and RGB colours (0 to 255) of the classes 0 .. len - 1, in label order."""

    names: tuple[str, ...]
    palette: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.palette):
            raise ValueError(f"{len(self.names)} class names but {len(self.palette)} colours")

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def unnamed(cls, count: int) -> Classes:
        """Return `count` classes called "class 0", "class 1", ... with well separated colours."""
        return cls.named(tuple(f"class {index}" for index in range(count)))

    @classmethod
    def named(cls, names: tuple[str, ...]) -> Classes:
        """Return classes with these names and well separated colours."""
        return cls(tuple(names), tuple(_colour(index) for index in range(len(names))))

    def to_json(self) -> list[dict[str, Any]]:
        """Return the form that is stored in a model's config.json."""
        return [{"name": n, "color": list(c)} for n, c in zip(self.names, self.palette, strict=True)]

    @classmethod
    def from_json(cls, entries: list[dict[str, Any]]) -> Classes:
        """Read what `to_json` wrote."""
        return cls(
            tuple(e["name"] for e in entries), tuple((e["color"][0], e["color"][1], e["color"][2]) for e in entries)
        )


def _colour(index: int) -> tuple[int, int, int]:
    # Steps of the golden ratio keep neighbours in the list far apart on the colour wheel.
    hue = (index * 0.618033988749895) % 1.0
    saturation, value = (0.75, 0.95) if index % 2 == 0 else (0.55, 0.7)
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)
