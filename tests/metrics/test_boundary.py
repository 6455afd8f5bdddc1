import cv2
import numpy as np
import pytest

from switchseg.metrics import boundary_counts, boundary_iou


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
