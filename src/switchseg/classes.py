"""The classes of a data set: names, colours, and the label value that stands for none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from switchseg.errors import UserError

_ROOT = 1.2207440846057596


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

    @property
    def foreground(self) -> int:
        """Of two classes the one that is not called background; the second, if neither or each is.

        Raises:
            UserError: there are more or fewer than two.
        """
        if len(self) != 2:
            raise UserError(f"a threshold is for two classes, background and foreground; the model has {len(self)}")
        # A chained comparison: 0 only if the second is background and the first is not.
        first, second = _comparable(self.names)
        return 0 if second == "background" != first else 1

    def colours(self, others: tuple[int, int, int] = (0, 0, 0)) -> npt.NDArray[np.uint8]:
        """Return the RGB colour of every label value [>= 256, 3]; values that are no class have that of `others`."""
        # 256 rows at least, so that any uint8 label map, ignored pixels included, can index the table without a check.
        table = np.full((max(256, len(self) + 1), 3), others, np.uint8)
        table[: len(self)] = self.palette
        return table

    def order_in(self, other: Classes) -> tuple[int, ...] | None:
        """Return the index in `other` of each class, by its name; None unless both have the same names, each once."""
        own, theirs = _comparable(self.names), _comparable(other.names)
        # A name that occurs twice would be matched with the first of its places both times.
        if len(set(own)) < len(own) or sorted(own) != sorted(theirs):
            return None
        return tuple(theirs.index(name) for name in own)

    def displaced_in(self, other: Classes) -> str | None:
        """Return a name that both have at different places; None if there is none."""
        own, theirs = _comparable(self.names), _comparable(other.names)
        moved = (n for i, n in enumerate(own) if n in theirs and i < len(theirs) and theirs[i] != n)
        return next(moved, None)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the form that is stored in a model's config.json."""
        return [{"name": n, "color": list(c)} for n, c in zip(self.names, self.palette, strict=True)]

    @classmethod
    def from_json(cls, entries: list[dict[str, Any]]) -> Classes:
        """Read what `to_json` wrote."""
        return cls(
            tuple(e["name"] for e in entries), tuple((e["color"][0], e["color"][1], e["color"][2]) for e in entries)
        )


def _comparable(names: tuple[str, ...]) -> list[str]:
    # Data sets spell the same class with other capitals and blanks; neither makes it another class.
    return [name.strip().casefold() for name in names]


def _colour(index: int) -> tuple[int, int, int]:
    # Steps by the powers of the root of x^4 = x + 1 fill a cube evenly: colours stay apart, however many there are.
    red, green, blue = (round(40 + 215 * ((0.5 + (index + 1) / _ROOT**power) % 1)) for power in (1, 2, 3))
    return red, green, blue
