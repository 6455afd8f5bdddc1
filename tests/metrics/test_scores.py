import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from switchseg.classes import Classes
from switchseg.labels import IGNORED
from switchseg.metrics import confusion_matrix, scores

ABSENT = 3  # a class of the toy case that occurs nowhere


def test_toy_scores_by_hand() -> None:
    matrix = torch.tensor([[6, 2, 0, 0], [1, 3, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    matrix[0, 2] = 4  # class 2 is only ever predicted, class 3 never occurs
    result = scores(matrix, Classes.unnamed(4))
    ious = [6 / 13, 3 / 6, 0.0]
    assert result.mean_iou == pytest.approx(sum(ious) / 3, abs=1e-15)
    assert result.mean_iou_all_classes == pytest.approx(sum(ious) / 4, abs=1e-15)
    assert result.pixel_accuracy == pytest.approx(9 / 16, abs=1e-15)
    assert result.overall_score == pytest.approx((9 / 16 + sum(ious) / 4) / 2, abs=1e-15)
    assert result.mean_class_accuracy == pytest.approx((6 / 12 + 3 / 4) / 2, abs=1e-15)
    assert result.frequency_weighted_iou == pytest.approx((12 * ious[0] + 4 * ious[1]) / 16, abs=1e-15)
    assert result.per_class[0].dice == pytest.approx(2 * 6 / (12 + 7), abs=1e-15)
    assert result.per_class[0].precision == pytest.approx(6 / 7, abs=1e-15)
    assert (result.per_class[2].dice, result.per_class[2].precision) == (0, 0)
    assert (result.per_class[ABSENT].dice, result.per_class[ABSENT].precision) == (None, None)
    assert result.per_class[2].iou == 0
    assert result.per_class[2].accuracy is None
    assert result.per_class[ABSENT].iou is None
    assert result.per_class[ABSENT].pixels == 0


def test_json_has_the_fixed_keys_and_no_nan() -> None:
    entry = scores(torch.eye(2, dtype=torch.int64), Classes.named(("road", "sky"))).to_json()
    assert list(entry) == [
        "mean_iou",
        "mean_iou_all_classes",
        "pixel_accuracy",
        "overall_score",
        "mean_class_accuracy",
        "frequency_weighted_iou",
        "per_class",
    ]
    fractions = {"iou": 1.0, "accuracy": 1.0, "dice": 1.0, "precision": 1.0}
    assert entry["per_class"][1] == {"index": 1, "name": "sky", "pixels": 1, **fractions}
    json.dumps(entry, allow_nan=False)


def test_an_empty_matrix_cannot_be_scored() -> None:
    with pytest.raises(ValueError, match="no labelled pixel"):
        scores(torch.zeros(2, 2, dtype=torch.int64), Classes.unnamed(2))


def test_agrees_with_torchmetrics() -> None:
    from torchmetrics.functional.classification import multiclass_jaccard_index

    generator = torch.Generator().manual_seed(0)
    label = torch.randint(0, 7, (3, 20, 20), generator=generator)
    prediction = torch.randint(0, 7, (3, 20, 20), generator=generator)
    label[0, :5] = IGNORED
    theirs = multiclass_jaccard_index(prediction, label, 7, average="none", ignore_index=IGNORED)
    ours = scores(confusion_matrix(prediction, label, 7), Classes.unnamed(7))
    np.testing.assert_allclose([entry.iou for entry in ours.per_class], theirs, rtol=1e-6)


def test_golden_ade_metrics_exactly(shared_data: Path, golden: Path) -> None:
    expected = json.loads((golden / "ade_metrics.json").read_text())
    matrix = torch.zeros(150, 150, dtype=torch.int64)
    for index in (1, 2, 3):
        path = shared_data / "ade20k_sample" / "annotations" / f"ADE_val_0000000{index}.png"
        annotation = np.asarray(Image.open(path)).astype(np.int64)
        prediction = np.maximum(np.roll(annotation, (11, 17), (0, 1)), 1)
        one = confusion_matrix(prediction - 1, annotation - 1, 150)
        assert int(one.diagonal().sum()) == expected["per_image"][str(index)]["pixel_correct"]
        assert int(one.sum()) == expected["per_image"][str(index)]["pixel_labeled"]
        matrix += one
    assert matrix.diagonal().tolist() == expected["intersection"]
    assert (matrix.sum(0) + matrix.sum(1) - matrix.diagonal()).tolist() == expected["union"]
    result = scores(matrix, Classes.unnamed(150))
    assert result.mean_iou_all_classes == pytest.approx(expected["mean_iou_over_150"], abs=1e-15)
    assert result.pixel_accuracy == expected["pixel_accuracy"]
