from pathlib import Path

import pytest

from switchseg.data.class_files import parse_class_lines, parse_colour
from switchseg.errors import UserError

PATH = Path("classes.txt")
COLOURS = [(128, 64, 128), (0, 0, 142)]


@pytest.mark.parametrize(
    ("text", "names", "colours"),
    [
        ("road\r\n\r\ntraffic light  # a comment\r\n", ["road", "traffic light"], []),
        ("# classes\n  road \n\tcar\n", ["road", "car"], []),
        ("0 road\n1 car\n", ["road", "car"], []),
        ("0: road\n1: car\n", ["road", "car"], []),
        ("0,road\n1,car\n", ["road", "car"], []),
        ("0. road\n1. car\n", ["road", "car"], []),
        ("2 wheels\ncar\n", ["2 wheels", "car"], []),
        ("door, closed\nC#\n", ["door, closed", "C#"], []),
        ("road 128 64 128\ncar 0 0 142\n", ["road", "car"], COLOURS),
        ("0 road 128 64 128\n1 car 0 0 142\n", ["road", "car"], COLOURS),
        ("road,128,64,128\ncar,0,0,142\n", ["road", "car"], COLOURS),
        ("# label:color_rgb:parts:actions\nroad:128,64,128::\ncar:0,0,142::\n", ["road", "car"], COLOURS),
        ("road #804080\ncar #00008e\n", ["road", "car"], COLOURS),
        ("road #804080 # main\ncar #00008e  # was #ffffff\n", ["road", "car"], COLOURS),
    ],
)
def test_lists_are_read_as_they_are_meant(text, names, colours):
    assert parse_class_lines(text, PATH) == (names, colours)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("1 road\n2 car\n", "numbered 1 .. 2 instead of 0 .. 1"),
        ("7 road\n26 car\n", "label_map in dataset.yaml"),
        ("road 128 64 128\ncar\n", "'road' has a colour and 'car' has none"),
        ("road #804080\ncar\n", "'road' has a colour and 'car' has none"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text, complaint):
    with pytest.raises(UserError, match=rf"^classes\.txt: .*{complaint}"):
        parse_class_lines(text, PATH)


@pytest.mark.parametrize("value", [[1, 2], [1, 2, 256], [1, 2, True], [1.0, 2, 3], "red", "#12345", None, 7])
def test_what_is_no_colour(value):
    assert parse_colour(value) is None
