"""Scores are read as they were written, and refused where they are none."""

import json

import numpy as np
import pytest

from switchseg.classes import Classes
from switchseg.errors import UserError
from switchseg.metrics import scores
from switchseg.reports.evaluations import Evaluation
from switchseg.reports.runs import read_run

HOW = {"images": 3, "short_sides": [450], "flip": False, "seconds": 1.5}


def test_scores_are_read_as_they_were_written():
    written = scores(np.array([[6, 2, 1], [1, 3, 0], [0, 0, 0]]), Classes.unnamed(3))
    read = Evaluation.from_json({**written.to_json(), **HOW, "rule": "of a later version"})
    assert read == Evaluation(**{**vars(written), **HOW, "short_sides": (450,)})
    assert read.data == (3, (("class 0", 9), ("class 1", 4), ("class 2", 0)))


def test_files_of_before_there_were_dice_and_precision_are_read():
    entry = {**scores(np.eye(2, dtype=np.int64), Classes.unnamed(2)).to_json(), **HOW}
    entry["per_class"] = [
        {key: each[key] for key in ("index", "name", "iou", "accuracy", "pixels")} for each in entry["per_class"]
    ]
    assert [(each.iou, each.dice, each.precision) for each in Evaluation.from_json(entry).per_class] == [
        (1, None, None)
    ] * 2


@pytest.mark.parametrize("key", ["mean_iou", "images", "seconds", "per_class"])
def test_scores_that_are_no_numbers_are_refused(copy, key):
    metrics = json.loads((copy / "metrics.json").read_text())
    metrics["single"][key] = [{"index": 0, "name": "sky", "iou": "x", "accuracy": None, "pixels": 1}]
    (copy / "metrics.json").write_text(json.dumps(metrics))
    with pytest.raises(UserError, match=r"metrics\.json: not the scores of a run"):
        read_run(copy)
