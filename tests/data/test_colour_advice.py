"""Advice on the colours of masks."""

import numpy as np
import pytest

from switchseg.data.likely_mistakes import advise
from switchseg.data.readers.cityscapes import CITYSCAPES
from switchseg.data.readers.voc import VOC
from tests.data.surveyed import check, write


def coloured(*colours):
    """Return a mask with bands of colours, the first the widest."""
    mask = np.zeros((20, 30, 3), np.uint8)
    for place, colour in enumerate(colours):
        mask[:, 5 * place :] = colour
    return mask[:, ::-1]


MASKS = "classes: [road, car]\npalette: [[128, 64, 128], [0, 0, 142]]\ncolour_masks: true"


def test_colour_masks(tmp_path):
    dataset = write(tmp_path, [coloured((0, 0, 0), (9, 9, 9), (128, 64, 128))])
    assert "colour mask" in check(dataset).problems[0]
    advice = advise(check(dataset), dataset.meaning)[0]
    assert advice.seen.startswith("Labels are colour masks with 3 colours; class indices were expected.")
    without, with_black = (reading.settings["palette"] for reading in advice.readings)
    assert without == [[128, 64, 128], [9, 9, 9]]
    assert sorted(with_black) == [[0, 0, 0], [9, 9, 9], [128, 64, 128]]


@pytest.mark.parametrize(
    ("names", "palette"),
    [(["Car", "Road"], [[0, 0, 142], [128, 64, 128]]), (list(CITYSCAPES.names), [*map(list, CITYSCAPES.palette)])],
)
def test_colours_of_a_known_data_set_go_to_the_classes_of_their_names(tmp_path, names, palette):
    dataset = write(tmp_path, [coloured((128, 64, 128), (0, 0, 142))], f"classes: {names}")
    advice = advise(check(dataset), dataset.meaning)[0]
    assert "those of Cityscapes" in advice.seen
    assert advice.readings[0].settings == {"colour_masks": True, "palette": palette, "classes": names}


def test_a_void_colour_of_a_known_data_set_is_ignored(tmp_path):
    dataset = write(tmp_path, [coloured(*VOC.palette[1:4], (224, 224, 192))], f"classes: {list(VOC.names)}")
    assert advise(check(dataset), dataset.meaning)[0].readings[0].settings["ignore"] == [[224, 224, 192]]


@pytest.mark.parametrize(
    ("colours", "seen", "settings"),
    [
        (((128, 64, 128), (142, 0, 0)), "red and blue", {"palette": [[128, 64, 128], [142, 0, 0]]}),
        (((129, 65, 129), (1, 1, 143)), "close to", {"palette": [[129, 65, 129], [1, 1, 143]]}),
        (((128, 64, 128), (224, 224, 224)), "[224, 224, 224]", {"ignore": [[224, 224, 224]]}),
    ],
)
def test_colours_that_are_no_class_s(tmp_path, colours, seen, settings):
    dataset = write(tmp_path, [coloured(*colours)], MASKS)
    advice = advise(check(dataset), dataset.meaning)[0]
    assert seen in advice.seen
    assert advice.readings[0].settings == settings


def test_classes_change_places_only_where_that_explains_every_colour(tmp_path):
    masks = "classes: [a, b, c]\npalette: [[200, 0, 0], [0, 0, 200], [0, 200, 90]]\ncolour_masks: true"
    colours = coloured((0, 0, 200), (200, 0, 0), (90, 200, 0), (30, 20, 10))
    exchanged = write(tmp_path / "all", [colours], f"{masks}\nignore: [[10, 20, 30]]")
    (reading,) = advise(check(exchanged), exchanged.meaning)[0].readings
    assert reading.settings == {"palette": [[0, 0, 200], [200, 0, 0], [90, 200, 0]], "ignore": [[30, 20, 10]]}
    # The second colour is a class's as it stands, and none's with red and blue exchanged.
    some = write(tmp_path / "some", [coloured((0, 0, 200), (0, 200, 90), (90, 200, 0))], masks)
    (reading,) = advise(check(some), some.meaning)[0].readings
    assert reading.settings == {"ignore": [[90, 200, 0]]}


def test_a_colour_that_occurs_stays_its_class_s(tmp_path):
    masks = "classes: [a, b]\npalette: [[100, 0, 0], [106, 0, 0]]\ncolour_masks: true"
    dataset = write(tmp_path, [coloured((106, 0, 0), (112, 0, 0))], masks)
    assert "palette" not in advise(check(dataset), dataset.meaning)[0].readings[0].settings


def test_mixed_colours_at_edges(tmp_path):
    mixed = [coloured(*((128 - k, 64 - k, 128 + k) for k in range(20, 60, 8))) for _ in range(2)]
    dataset = write(tmp_path, mixed, MASKS)
    advice = advise(check(dataset), dataset.meaning)[0]
    assert "mixtures, as smoothing or resizing makes them" in advice.seen
    assert not advice.readings
