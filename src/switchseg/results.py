"""What an evaluation finds, as plain numbers, made by `metrics` and read by `reports`. Importing it loads no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class ClassScore:
    """The scores of one class; a fraction that would be 0 / 0 is None."""

    index: int
    name: str
    iou: float | None
    """None where the class occurs neither in the truth nor in the prediction."""
    accuracy: float | None
    """Share of the class's pixels that were found (recall); None where the truth has none."""
    pixels: int
    """Pixels of the class in the truth."""
    dice: float | None
    """2 x intersection / (truth + prediction): F1, the harmonic mean of precision and recall; None as for `iou`."""
    precision: float | None
    """Share of what was taken for the class that is; None where it was never predicted."""


@dataclass(frozen=True)
class Scores:
    """Dataset-level scores, as fractions of one."""

    mean_iou: float
    """Over the classes that occur in the truth or in the prediction."""
    mean_iou_all_classes: float
    """Over all classes; one that never occurs counts 0 (the rule of 2018)."""
    pixel_accuracy: float
    overall_score: float
    """Mean of `pixel_accuracy` and `mean_iou_all_classes`: the score of the ADE20K challenge."""
    mean_class_accuracy: float
    """Over the classes that occur in the truth."""
    frequency_weighted_iou: float
    per_class: tuple[ClassScore, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the scores under their fixed names, `per_class` as a list of objects."""
        return {**asdict(self), "per_class": [asdict(entry) for entry in self.per_class]}
