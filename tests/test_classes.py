import numpy as np
import pytest

from switchseg.classes import Classes


def test_json_round_trip():
    classes = Classes(("road", "car"), ((1, 2, 3), (4, 5, 6)))
    assert Classes.from_json(classes.to_json()) == classes
    assert len(classes) == 2


def test_generated_colours_are_far_apart():
    palette = np.array(Classes.unnamed(255).palette)
    distances = np.abs(palette[:, None] - palette[None]).sum(axis=-1) + 1000 * np.eye(255, dtype=int)
    assert distances.min() > 30
    assert np.diagonal(distances, 1).min() > 200  # neighbours in the list
    assert 0 <= palette.min() <= palette.max() <= 255


def test_every_class_needs_a_colour():
    with pytest.raises(ValueError, match="2 class names but 1 colours"):
        Classes(("a", "b"), ((1, 2, 3),))


def test_colours_by_label_value_leave_one_for_what_is_no_class():
    classes = Classes(("road", "car"), ((1, 2, 3), (4, 5, 6)))
    table = classes.colours((9, 9, 9))
    assert table[:3].tolist() == [[1, 2, 3], [4, 5, 6], [9, 9, 9]]
    assert table.shape == (256, 3)
    assert Classes.unnamed(300).colours()[300].tolist() == [0, 0, 0]
