import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from switchseg.classes import Classes
from switchseg.config.inference import Rule
from switchseg.engine.evaluation import Evaluation, write_confusion, write_per_image
from switchseg.engine.seams import Seams
from switchseg.metrics import ImageScore, scores

CLASSES = Classes.named(("road, wet", "sky", "nowhere"))
MATRIX = np.array([[5, 1, 0], [0, 7, 0], [0, 0, 0]])
EVALUATION = Evaluation(
    scores(MATRIX, CLASSES), MATRIX, Rule(short_sides=(48, 64), flip=True), images=5, seconds=1.23456, per_image=()
)


def test_json_has_the_fixed_keys() -> None:
    entry = EVALUATION.to_json()
    assert entry["images"] == 5
    assert entry["short_sides"] == [48, 64]
    assert entry["flip"] is True
    assert entry["seconds"] == 1.235
    assert "short side 48 64" in entry["rule"]
    assert len(entry["per_class"]) == 3
    assert "seams" not in entry
    json.dumps(entry, allow_nan=False)


def test_boundary_iou_and_seams_are_in_the_json_where_they_were_counted() -> None:
    boundary = np.array([[3, 2, 0], [4, 2, 0], [4, 6, 0]])
    entry = replace(EVALUATION, boundary=boundary, seams=Seams(4, 1, 8, 2)).to_json()
    assert [each["boundary_iou"] for each in entry["per_class"]] == pytest.approx([3 / 5, 2 / 6, None])
    assert entry["mean_boundary_iou"] == pytest.approx((3 / 5 + 2 / 6) / 2)
    assert entry["seams"] == Seams(4, 1, 8, 2).to_json()
    json.dumps(entry, allow_nan=False)


def test_confusion_matrix_as_csv(tmp_path: Path) -> None:
    write_confusion(tmp_path / "c.csv", MATRIX, CLASSES)
    rows = list(csv.reader((tmp_path / "c.csv").read_text().splitlines()))
    assert [row[1:] for row in rows] == [[*CLASSES.names], ["5", "1", "0"], ["0", "7", "0"], ["0", "0", "0"]]
    assert [row[0] for row in rows[1:]] == [*CLASSES.names]


def test_scores_of_images_as_csv(tmp_path: Path) -> None:
    write_per_image(tmp_path / "i.csv", [ImageScore("b", 0.25, 0.5), ImageScore("a", 1.0, 1.0)])
    rows = list(csv.DictReader((tmp_path / "i.csv").read_text().splitlines()))
    assert [row["image"] for row in rows] == ["b", "a"]
    assert [float(row["mean_iou"]) for row in rows] == [0.25, 1.0]
