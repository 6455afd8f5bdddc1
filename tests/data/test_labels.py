import numpy as np
import pytest

from switchseg.classes import Classes
from switchseg.data.labels import LabelMap
from switchseg.errors import UserError
from switchseg.labels import IGNORED

THREE = Classes.unnamed(3)


def stored(*values):
    return np.array([values], np.uint8)


def test_identity_keeps_classes_and_ignores_255():
    assert LabelMap.identity(THREE)(stored(0, 1, 2, 255), "a.png").tolist() == [[0, 1, 2, IGNORED]]


def test_reduce_zero_is_the_rule_of_ade20k():
    assert LabelMap.reduce_zero(THREE)(stored(0, 1, 2, 3, 255), "a.png").tolist() == [[IGNORED, 0, 1, 2, IGNORED]]


def test_reduce_zero_with_255_classes():
    label_map = LabelMap.reduce_zero(Classes.unnamed(255))
    assert label_map(stored(0, 1, 254, 255), "a.png").tolist() == [[IGNORED, 0, 253, 254]]


def test_more_than_255_classes_are_refused():
    with pytest.raises(UserError, match="256 classes; at most 255"):
        LabelMap.identity(Classes.unnamed(256))


def test_a_value_outside_the_classes_is_named():
    with pytest.raises(
        UserError, match=r"a\.png: label value 7 \(2 pixels\) stands for no class; the classes are 0 \.\. 2"
    ):
        LabelMap.identity(THREE)(stored(0, 7, 7, 9), "a.png")


def test_sixteen_bit_values_are_checked():
    wide = np.array([[0, 1000]], np.uint16)
    assert LabelMap({0: 0, 1000: 1})(wide, "a.png").tolist() == [[0, 1]]
    with pytest.raises(UserError, match="label value 1000"):
        LabelMap.identity(THREE)(wide, "a.png")


def test_colours_become_classes_and_black_is_ignored():
    classes = Classes(("road", "car"), ((128, 64, 128), (0, 0, 142)))
    mask = np.array([[[128, 64, 128], [0, 0, 142], [0, 0, 0]]], np.uint8)
    label_map = LabelMap.palette(classes)
    assert label_map(mask, "a.png").tolist() == [[0, 1, IGNORED]]
    with pytest.raises(UserError, match=r"a\.png: colour \(1, 2, 3\) \(1 pixels\) is no class's colour"):
        label_map(np.array([[[1, 2, 3], [0, 0, 0]]], np.uint8), "a.png")


def test_black_may_be_a_class():
    classes = Classes(("night", "car"), ((0, 0, 0), (0, 0, 142)))
    assert LabelMap.palette(classes)(np.zeros((1, 2, 3), np.uint8), "a.png").tolist() == [[0, 0]]


def test_equal_colours_are_refused():
    with pytest.raises(UserError, match="same colour"):
        LabelMap.palette(Classes(("a", "b"), ((1, 1, 1), (1, 1, 1))))
