import numpy as np
import pytest

from switchseg.engine.suspects.regions import Typical, doubt, regions

SIZE = (60, 80)


def probabilities(truth, sure, classes=3):
    """Return [H, W, C] that give the class `truth` the probability `sure` and the others the rest."""
    values = np.full((*truth.shape, classes), (1 - sure) / (classes - 1), np.float32)
    np.put_along_axis(values, truth[..., None], sure, -1)
    return values


def found(label, values, typical):
    return regions(doubt(iter([(np.s_[:, :], values)]), label, np.array(typical)), label)


def test_a_wrong_region_is_found_with_its_box_and_classes():
    truth = np.zeros(SIZE, np.int64)
    label = truth.astype(np.uint8)
    label[10:30, 20:50] = 2
    (region,) = found(label, probabilities(truth, 0.9), [0.9, 0.9, 0.9])
    assert (region.given, region.likelier) == (2, 0)
    assert region.box == (10, 20, 30, 50)
    assert region.pixels == 20 * 30
    assert region.score == pytest.approx((0.9 - 0.05) * 600**0.5, rel=1e-5)


def test_a_part_of_a_segment_is_less_suspect_than_as_large_a_whole():
    label = np.zeros(SIZE, np.uint8)
    label[10:30, 20:50] = 2
    truth = np.zeros(SIZE, np.int64)
    whole = found(label, probabilities(truth, 0.9), [0.9, 0.9, 0.9])[0]
    truth[label == 2] = 2
    truth[10:30, 20:35] = 0
    (part,) = found(label, probabilities(truth, 0.9), [0.9, 0.9, 0.9])
    assert part.box == (10, 20, 30, 35)
    assert part.score == pytest.approx(whole.score / 2**0.75)


def test_a_model_that_is_less_sure_than_usual_accuses_nobody():
    truth = np.zeros(SIZE, np.int64)
    label = np.full(SIZE, 2, np.uint8)
    assert found(label, probabilities(truth, 0.6), [0.95, 0.9, 0.9]) == []
    assert len(found(label, probabilities(truth, 0.6), [0.6, 0.9, 0.9])) == 1


def test_edges_and_ignored_pixels_are_left_alone():
    truth = np.zeros(SIZE, np.int64)
    label = truth.astype(np.uint8)
    label[:, 40:42] = 1
    label[:, :20] = 255
    assert found(label, probabilities(truth, 0.9), [0.9, 0.9, 0.9]) == []


def test_a_class_without_labels_can_be_the_likelier_one_only_where_it_is_certain():
    truth = np.zeros(SIZE, np.int64)
    label = np.ones(SIZE, np.uint8)
    assert found(label, probabilities(truth, 0.7), [np.nan, 0.9, np.nan]) == []
    assert len(found(label, probabilities(truth, 0.9), [np.nan, 0.9, np.nan])) == 1


def test_a_class_that_the_model_never_sees_hides_no_other():
    label = np.zeros((1, 2), np.uint8)
    values = np.array([[[0.1, 0.9, 0], [0.9, 0.1, 0]]], np.float32)
    doubted = doubt(iter([((slice(0, 1), slice(0, 2)), values)]), label, np.array([0.9, 0.9, 0.0]))
    assert doubted.likelier[0, 0] == 1
    assert doubted.suspect.tolist() == [[True, False]]


def test_typical_confidence_is_the_mean_over_the_pixels_of_each_label():
    label = np.array([[0, 0, 1, 255]], np.uint8)
    values = np.array([[[0.9, 0.1, 0], [0.5, 0.5, 0], [0.2, 0.8, 0], [0, 0, 1]]], np.float32)
    typical = Typical(3)
    typical.add(values, label)
    np.testing.assert_allclose(typical.mean(), [0.7, 0.8, np.nan], rtol=1e-6)
