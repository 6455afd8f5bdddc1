import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from switchseg.data.classes import IGNORED, Classes
from switchseg.metrics import boundary_counts, boundary_iou, confusion_matrix, scores

ABSENT = 3  # a class of the toy case that occurs nowhere


def counted_one_by_one(prediction: np.ndarray, label: np.ndarray, num_classes: int) -> np.ndarray:
    matrix = np.zeros((num_classes, num_classes), np.int64)
    for p, t in zip(prediction.flat, label.flat, strict=True):
        if 0 <= t < num_classes:
            matrix[t, p] += 1
    return matrix


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_matrix_equals_counting_one_by_one(data: st.DataObject) -> None:
    num_classes = data.draw(st.integers(1, 400))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shape = data.draw(st.sampled_from([(7,), (3, 5), (2, 4, 6), (0, 4)]))
    kind = data.draw(st.sampled_from([np.int64, np.int32] + ([np.uint8] if num_classes < IGNORED else [])))
    prediction = generator.integers(0, num_classes, shape).astype(kind)
    label = generator.integers(0, num_classes, shape).astype(kind)
    label[generator.random(shape) < 0.3] = IGNORED if num_classes <= IGNORED else 70_000 if kind != np.uint8 else 0
    matrix = confusion_matrix(torch.from_numpy(prediction), torch.from_numpy(label), num_classes)
    assert matrix.dtype == torch.int64
    np.testing.assert_array_equal(matrix, counted_one_by_one(prediction, label, num_classes))


def test_arrays_and_tensors_count_alike() -> None:
    prediction, label = np.array([[0, 1], [1, 1]], np.uint8), np.array([[0, 0], [1, 255]], np.uint8)
    assert confusion_matrix(prediction, label, 2).tolist() == [[1, 1], [0, 1]]


def test_negative_and_large_labels_are_ignored_with_whatever_was_predicted_there() -> None:
    label = torch.tensor([0, -1, 255, 2, 65536, 1])
    prediction = torch.tensor([0, 1, 255, 1, -7, 0])
    assert confusion_matrix(prediction, label, 2).tolist() == [[1, 0], [1, 0]]


def test_a_prediction_outside_the_classes_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"outside 0 \.\. 2"):
        confusion_matrix(torch.tensor([3]), torch.tensor([0]), 3)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\(2,\) but the label \(1,\)"):
        confusion_matrix(torch.tensor([0, 1]), torch.tensor([0]), 3)


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
    assert entry["per_class"][1] == {"index": 1, "name": "sky", "iou": 1.0, "accuracy": 1.0, "pixels": 1}
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


def boundary_mask_by_mask(labels: np.ndarray, value: int, distance: int) -> np.ndarray:
    """The paper's definition: a mask without its erosion, zeros outside the image."""
    mask = np.pad((labels == value).astype(np.uint8), 1)
    eroded = cv2.erode(mask, np.ones((3, 3), np.uint8), iterations=distance)
    return (mask - eroded)[1:-1, 1:-1].astype(bool)


@pytest.mark.parametrize("kind", [np.uint8, np.int32])
@pytest.mark.parametrize("size", [(30, 40), (3, 50), (1, 1)])
def test_boundaries_of_all_classes_at_once_equal_one_mask_at_a_time(kind: type, size: tuple[int, int]) -> None:
    generator = np.random.default_rng(1)
    coarse = generator.integers(0, 5, (4, 5)).astype(np.uint8)
    label, prediction = (
        cv2.resize(np.roll(coarse, shift), size[::-1], interpolation=cv2.INTER_NEAREST).astype(kind) for shift in (0, 1)
    )
    label[label == 4] = 255
    counts = boundary_counts(prediction, label, 5, width=0.05)
    distance = max(1, round(0.05 * np.hypot(*size)))
    labelled = label != 255
    for value in range(5):
        truth = boundary_mask_by_mask(label, value, distance) & labelled
        predicted = boundary_mask_by_mask(prediction, value, distance) & labelled
        assert counts[:, value].tolist() == [(truth & predicted).sum(), truth.sum(), predicted.sum()]


def test_boundary_iou_is_one_for_the_truth_and_nan_for_an_absent_class() -> None:
    label = np.zeros((20, 20), np.uint8)
    label[5:, 8:] = 1
    ious = boundary_iou(boundary_counts(label, label, 3))
    assert ious[:2].tolist() == [1, 1]
    assert np.isnan(ious[2])
