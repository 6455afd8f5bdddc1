import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from switchseg.labels import IGNORED
from switchseg.metrics import confusion_matrix, pairs


@pytest.fixture(params=["compiled", "torch"], autouse=True)
def counting(request, monkeypatch):
    """Run every test with both implementations."""
    if request.param == "torch":
        monkeypatch.setattr(pairs, "loop", None)
    elif pairs.loop is None:
        pytest.skip("no compiler when the package was installed")


def counted_one_by_one(prediction: np.ndarray, label: np.ndarray, num_classes: int) -> np.ndarray:
    matrix = np.zeros((num_classes, num_classes), np.int64)
    for p, t in zip(prediction.flat, label.flat, strict=True):
        if 0 <= t < num_classes:
            matrix[t, p] += 1
    return matrix


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_matrix_equals_counting_one_by_one(data: st.DataObject) -> None:
    num_classes = data.draw(st.integers(1, 400))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shape = data.draw(st.sampled_from([(7,), (3, 5), (2, 4, 6), (0, 4), (9, 33)]))
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


def test_runs_of_one_class_and_single_pixels_count_alike() -> None:
    """The compiled loop takes eight equal neighbours at once, wherever a view of them starts."""
    generator = np.random.default_rng(0)
    label = np.repeat(generator.integers(0, 9, 300), generator.integers(1, 40, 300)).astype(np.uint8)
    prediction = np.roll(label, 5)
    prediction[::97] = 8
    for start in range(9):
        some = slice(start, len(label) - 2 * start)
        matrix = confusion_matrix(prediction[some], label[some], 8 + 1)
        np.testing.assert_array_equal(matrix, counted_one_by_one(prediction[some], label[some], 9))


def test_views_are_counted_as_they_are_seen() -> None:
    generator = np.random.default_rng(0)
    prediction, label = (generator.integers(0, 5, (40, 30)).astype(np.uint8) for _ in range(2))
    matrix = confusion_matrix(prediction.T, label.T, 5)
    assert torch.equal(matrix, confusion_matrix(prediction, label, 5))
    assert torch.equal(matrix, confusion_matrix(torch.from_numpy(prediction.T.copy()).t(), label, 5))


@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_a_prediction_that_is_no_class_counts_where_nothing_is_labelled_only(kind: type) -> None:
    label, prediction = np.array([0, 255, 1], kind), np.array([0, 255, 1], kind)
    assert confusion_matrix(prediction, label, 2).tolist() == [[1, 0], [0, 1]]
    with pytest.raises(ValueError, match=r"outside 0 \.\. 1"):
        confusion_matrix(prediction[::-1].copy(), np.array([0, 1, 255], kind), 2)
