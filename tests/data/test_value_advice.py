"""Advice on the values of grey labels."""

import cv2
import numpy as np
import pytest

from switchseg.classes import Classes
from switchseg.data.labels import LabelMap, Meaning
from switchseg.data.likely_mistakes import advise
from switchseg.data.readers.camvid import CAMVID
from tests.data.surveyed import check, hints, only, write
from tests.data.trees import values


def framed(void, others, size=24):
    """Return labels whose areas are parted by lines of a void value."""
    label = np.repeat(np.repeat(np.array(others, np.uint8).reshape(1, -1), size, 0), size // len(others), 1)
    label[:, :: size // len(others)] = void
    return label


def test_binary_masks_of_0_and_255(tmp_path):
    seen, setting = next(iter(hints(write(tmp_path, [values(0, [0, 255])], "classes: [back, front]")).items()))
    assert "255 is ignored" in seen
    assert setting == "label_map: {0: 0, 255: 1}  # 0 is 'back', 255 is 'front'"


def test_labels_that_are_off_by_one(tmp_path):
    seen, setting = next(iter(hints(write(tmp_path, [values(0, [1, 2, 3])])).items()))
    assert "0 never occurs, so they are probably off by one" in seen
    assert setting.startswith("reduce_zero_label: true  # 0 is void, 1 is 'a', 3 is 'c'")


@pytest.mark.parametrize(
    ("label", "first", "meaning"),
    [
        (framed(3, [0, 1, 2]), "ignore: [3]", "0 is 'a', 2 is 'c', 3 is void"),
        (framed(0, [1, 2, 3]), "reduce_zero_label: true", "0 is void, 1 is 'a', 3 is 'c'"),
    ],
)
def test_both_readings_are_offered_where_the_first_or_the_last_value_may_be_void(tmp_path, label, first, meaning):
    dataset = write(tmp_path, [label])
    advice = advise(check(dataset), dataset.meaning)[0]
    assert str(advice.readings[0]) == f"{first}  # {meaning}"
    assert {key for reading in advice.readings for key in reading.settings} == {
        *("ignore", "reduce_zero_label", "classes")
    }


def test_camvid_in_plain_folders_keeps_its_classes(tmp_path):
    """Its void is 11: the advice to reduce zero would shift every class by one."""
    dataset = write(tmp_path, [values(0, list(range(12)))], f"classes: [{', '.join(CAMVID.names)}]")
    advice = advise(check(dataset), dataset.meaning)[0]
    assert advice.readings[0].settings == {"ignore": [11]}
    assert "CamVid's, whose last value is void" in advice.seen


def test_a_value_beyond_the_classes_does_not_shift_them_where_another_is_missing(tmp_path):
    dataset = write(tmp_path, [values(0, [0, 1, 3, 7])], "classes: [a, b, c, d]")
    assert advise(check(dataset), dataset.meaning)[0].readings[0].settings == {"ignore": [7]}


def test_following_the_advice_on_off_by_one_mends_it(tmp_path):
    write(tmp_path, [values(0, [0, 1, 2, 3])])
    dataset = write(tmp_path, [values(0, [0, 1, 2, 3])], "classes: [a, b, c]\nreduce_zero_label: true")
    assert check(dataset).problems == []
    assert hints(dataset) == {}


def test_grey_levels_that_are_spread_out(tmp_path):
    dataset = write(tmp_path, [values(0, [0, 127, 254])])
    assert any(setting.startswith("label_map: {0: 0, 127: 1, 254: 2}") for setting in hints(dataset).values())


def unnamed(found):
    return advise(found, Meaning(classes := Classes.unnamed(255), LabelMap.identity(classes)))


@pytest.mark.parametrize(
    ("choices", "readings"),
    [
        ([0, 100, 200], [{0: 0, 100: 1, 200: 2}]),
        ([0, 128, 255], [{0: 0, 128: 1, 255: 2}, {0: 0, 128: 1}]),
        ([0, 1, 2, 255], []),
        ([1, 2, 3], []),
    ],
)
def test_grey_levels_that_nobody_named_are_a_class_each(tmp_path, choices, readings):
    found = check(write(tmp_path, [values(0, choices)], "classes: [a, b, c]"))
    advices = unnamed(found)
    assert [reading.settings["label_map"] for advice in advices for reading in advice.readings] == readings
    if readings:
        assert advices[0].readings[0].settings["classes"] == [f"value {value}" for value in choices]


@pytest.mark.parametrize("names", ["[a, b]", None])
def test_masks_with_soft_edges_are_no_classes(tmp_path, names):
    rows, columns = np.mgrid[:90, :120]
    disc = np.where((rows - 45) ** 2 + (columns - 60) ** 2 < 900, 255, 0).astype(np.uint8)
    dataset = write(tmp_path, [cv2.GaussianBlur(disc, (0, 0), 1.5)], f"classes: {names or '[a]'}")
    found = check(dataset)
    (advice,) = advise(found, dataset.meaning) if names else unnamed(found)
    assert advice.stops
    assert "along edges alone, as smoothing leaves them" in advice.seen
    assert "resize them by the nearest pixel" in advice.setting


def test_many_classes_are_not_taken_for_soft_edges(tmp_path):
    found = check(write(tmp_path, [values(0, list(range(100))), framed(99, list(range(8)))], "classes: [a, b]"))
    assert not any("smoothing" in advice.seen for advice in unnamed(found))


def test_what_fills_most_of_the_pixels_is_no_void(tmp_path):
    for most, first in (([0, 1, *range(2, 8)], "classes"), ([0, 1] * 20 + [2, 3], "ignore")):
        label = np.tile(np.array(most, np.uint8).repeat(4), (16, 1))
        (tmp_path / first).mkdir()
        dataset = write(tmp_path / first, [label], "classes: [a, b]")
        assert list(advise(check(dataset), dataset.meaning)[0].readings[0].settings) == [first]


def test_class_indices_read_by_ade20ks_rule(tmp_path):
    dataset = write(tmp_path, [values(0, [0, 1, 2])], "classes: [a, b, c]\nreduce_zero_label: true")
    advice = next(a for a in advise(check(dataset), dataset.meaning) if "start at 0" in a.seen)
    assert advice.readings[0].settings == {"reduce_zero_label": False}


def test_a_background_that_counts(tmp_path):
    dataset = write(tmp_path, [values(0, [0, 1, 2])], "classes: [Background, b, c]")
    seen, setting = only(dataset)
    assert "'background'" in seen
    assert setting.startswith("reduce_zero_label: true")
