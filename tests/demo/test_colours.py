import colorsys
import itertools
import math

import pytest

from switchseg.classes import Classes
from switchseg.data.readers.ade20k_classes import ADE20K
from switchseg.data.readers.camvid import CAMVID
from switchseg.data.readers.voc import VOC
from switchseg.demo.colours import NEAREST, see_through


@pytest.mark.parametrize("classes", [CAMVID, VOC, Classes.unnamed(20)])
def test_colours_are_bright_never_grey_and_apart(classes):
    colours = see_through(classes)
    for colour in colours:
        _, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
        assert saturation > 0.5
        assert value > 0.75
    assert min(math.dist(*pair) for pair in itertools.combinations(colours, 2)) >= NEAREST


def test_many_classes_still_differ():
    assert len(set(see_through(ADE20K))) == len(ADE20K)


def test_a_class_keeps_the_hue_that_it_is_known_by():
    own, shown = (128, 64, 128), see_through(Classes(("road",), ((128, 64, 128),)))[0]
    assert colorsys.rgb_to_hsv(*own)[0] == pytest.approx(colorsys.rgb_to_hsv(*shown)[0], abs=0.01)
