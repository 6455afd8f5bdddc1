"""The scores of a run, as `switchseg evaluate --json` wrote them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from switchseg.errors import UserError
from switchseg.reports.run_files import Record, is_number, read_json
from switchseg.results import ClassScore, Scores


@dataclass(frozen=True)
class Evaluation(Scores):
    """Scores together with how they were made, `short_sides` in pixels."""

    images: int
    short_sides: tuple[int, ...]
    flip: bool
    seconds: float

    @property
    def data(self) -> tuple[Any, ...]:
        """What tells the data that was scored on from others: the images, and the classes with the pixels of each."""
        return self.images, tuple((score.name, score.pixels) for score in self.per_class)

    @classmethod
    def from_json(cls, entry: Record) -> Evaluation:
        """Read one evaluation; keys that this version does not know are left out.

        Raises:
            KeyError, TypeError: a key is missing, or its value is not of the kind that is written.
        """
        values = {each.name: entry[each.name] for each in fields(cls)}
        for key, value in values.items():
            if key not in ("per_class", "short_sides", "flip") and not is_number(value):
                raise TypeError(f"{key} must be a number, but is {value!r}")
        scores = tuple(map(_class_score, entry["per_class"]))
        return cls(**{**values, "per_class": scores, "short_sides": tuple(entry["short_sides"])})


def read_evaluations(path: Path) -> dict[str, Evaluation]:
    """Return the evaluations of a run by their scales, `single` and `multi`, as far as they were made.

    Raises:
        UserError: the file is damaged.
    """
    if not path.is_file():
        return {}
    entries = read_json(path)
    try:
        return {name: Evaluation.from_json(entries[name]) for name in ("single", "multi") if entries.get(name)}
    except (AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not the scores of a run ({error}); `switchseg evaluate --json` writes them") from None


def _class_score(entry: Record) -> ClassScore:
    """Read the scores of one class; raises as `Evaluation.from_json` does."""
    # Files of before there were dice and precision lack them.
    fractions = [entry["iou"], entry["accuracy"], entry.get("dice"), entry.get("precision")]
    numbers = [entry["index"], entry["pixels"], *(each for each in fractions if each is not None)]
    if not all(map(is_number, numbers)) or not isinstance(entry["name"], str):
        raise TypeError(f"per_class holds {entry}")
    iou, accuracy, dice, precision = fractions
    return ClassScore(entry["index"], entry["name"], iou, accuracy, entry["pixels"], dice, precision)
