"""What an evaluation has found, how it was made, and the files that hold it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from switchseg import files
from switchseg.classes import Classes
from switchseg.config.inference import Rule
from switchseg.engine.seams import Seams
from switchseg.metrics import ImageScore, Scores, boundary_iou

SCORING = "confusion matrix over the whole data set, unlabelled pixels left out"


@dataclass(frozen=True)
class Evaluation:
    """Scores together with how they were made."""

    scores: Scores
    matrix: npt.NDArray[np.int64]
    """Pixel counts [C, C]; rows are the truth."""
    rule: Rule
    images: int
    seconds: float
    """Wall time, reading the images included."""
    per_image: tuple[ImageScore, ...]
    """In the order of the data set."""
    boundary: npt.NDArray[np.int64] | None = None
    """What `metrics.boundary_counts` returned, summed [3, C]."""
    seams: Seams = Seams()
    """Where the windows of the rule meet."""

    def to_json(self) -> dict[str, Any]:
        """Return what `switchseg evaluate --json` writes."""
        entry = {
            **self.scores.to_json(),
            "images": self.images,
            "short_sides": list(self.rule.short_sides),
            "flip": self.rule.flip,
            "seconds": round(self.seconds, 3),
            "rule": f"{self.rule.describe()}; {SCORING}",
        }
        if self.seams.along:
            entry["seams"] = self.seams.to_json()
        if self.boundary is not None:
            ious = boundary_iou(self.boundary)
            entry["mean_boundary_iou"] = float(np.nanmean(ious))
            for each, iou in zip(entry["per_class"], ious, strict=True):
                each["boundary_iou"] = None if np.isnan(iou) else float(iou)
        return entry


def write_confusion(path: Path, matrix: npt.NDArray[np.int64], classes: Classes) -> None:
    """Write the confusion matrix as CSV with the class names in its first row and column; rows are the truth."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["truth \\ prediction", *classes.names])
    table.writerows([name, *row.tolist()] for name, row in zip(classes.names, matrix, strict=True))
    files.write_text(path, text.getvalue())


def write_per_image(path: Path, per_image: Sequence[ImageScore]) -> None:
    """Write the scores of every image as CSV, in the order of the data set."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", "mean_iou", "pixel_accuracy"])
    table.writerows([each.name, f"{each.mean_iou:.6f}", f"{each.pixel_accuracy:.6f}"] for each in per_image)
    files.write_text(path, text.getvalue())
