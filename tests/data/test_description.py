from pathlib import Path

import numpy as np
import pytest

from switchseg.data.description import Description, parse_description
from switchseg.errors import UserError


def read(text, name="dataset.yaml"):
    return parse_description(text, Path(name)).meaning(name)


def mapped(meaning, *values):
    return meaning.label_map(np.array([values], np.uint8), "a.png")[0].tolist()


def test_names_one_a_line():
    meaning = read("road\n\ntraffic light  # with a blank\n", "classes.txt")
    assert meaning.classes.names == ("road", "traffic light")
    assert mapped(meaning, 0, 1, 255) == [0, 1, 255]


def test_form_of_a_models_config():
    meaning = read('[{"name": "a", "color": [1, 2, 3]}]', "classes.json")
    assert meaning.classes.to_json() == [{"name": "a", "color": [1, 2, 3]}]


def test_the_keys_of_dataset_yaml():
    assert mapped(read("classes: [a, b]\nreduce_zero_label: true"), 0, 1, 2) == [255, 0, 1]
    assert mapped(read("classes: [a, b]\nlabel_map: {7: 1, 9: 0, 8: 255}"), 7, 8, 9, 255) == [1, 255, 0, 255]
    assert mapped(read("classes: [a, b]\nlabel_map: {7: b, 9: a}"), 7, 9) == [1, 0]
    assert mapped(read("classes: [a, b]\nignore: [17]"), 0, 1, 17) == [0, 1, 255]
    assert read("classes: [a, b]\nexif_orientation: ignore").exif_orientation == "ignore"
    assert read("classes: {0: a, 1: b}").classes.names == ("a", "b")


def test_colour_masks_may_have_several_void_colours():
    text = "classes: [a, b]\npalette: [[1, 0, 0], '#000100']\ncolour_masks: true\nignore: [[224, 224, 224]]"
    mask = np.array([[[0, 1, 0], [0, 0, 0], [224, 224, 224], [1, 0, 0]]], np.uint8)
    assert read(text).label_map(mask, "a.png").tolist() == [[1, 255, 255, 0]]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("classes: [a]\nreduce_zero: true", "unknown key reduce_zero; did you mean reduce_zero_label"),
        ("classes: [a, b]\nclasses: [c, d]", "the key 'classes' is given twice .*line 2"),
        ("reduce_zero_label: true", "no classes"),
        ('classes: [a]\nreduce_zero_label: "false"', "reduce_zero_label must be true or false or null, found 'false'"),
        ("classes: [a]\ncolour_masks: 1", "colour_masks must be true or false"),
        ("classes: [a]\nlabel_map: {0: 0}\nreduce_zero_label: true", "contradict each other"),
        ("classes: [on, off]", "class 0 is True .*truth values"),
        ("classes: [road, ~]", "class 1 is None"),
        ("classes: [1, 2]", "class 0 is 1; write its name as text"),
        ('classes: [a, "b\\nc"]', "class 1 is"),
        ('classes: [a, " "]', "class 1 is ' '"),
        ("classes: [road, road]", "two classes are called 'road'"),
        ('classes: [road, "road "]', "two classes are called 'road'"),
        ("classes: {1: a, 2: b}", "classes must be a list of names"),
        ("classes: a", "classes must be a list of names"),
        ("classes: [a, b]\npalette: [[1, 2, 3]]", "1 colours for 2 classes"),
        ("classes: [a]\npalette: [[1, 2, 300]]", "three whole numbers"),
        ("classes: [a]\npalette: [[1, 2, true]]", "three whole numbers"),
        ("classes: [a]\npalette: [red]", "three whole numbers"),
        ("classes: [a]\nlabel_map: {1: 1}", "label_map names class 1"),
        ("classes: [a]\nlabel_map: [1]", "label_map must be a mapping"),
        ('classes: [a]\nlabel_map: {"0": 0}', "without quotes, .* not '0' to 0"),
        ("classes: [a]\nlabel_map: {0: road}", "not 0 to 'road'"),
        ("classes: [a]\nignore: [true]", "ignore lists stored label values"),
        ("classes: [a]\nignore: 17", "ignore must be a list"),
        ("classes: [a]\ncolour_masks: true", "needs a palette"),
        (
            "classes: [a]\npalette: [[1, 2, 3]]\ncolour_masks: true\nignore: [224]",
            "what to ignore is three whole numbers",
        ),
        ("classes: [a]\npalette: [[1, 2, 3]]\ncolour_masks: true\nignore: [[1, 2, 3]]", "a class's colour and ignored"),
        ("classes: [a]\nexif_orientation: yes", "exif_orientation must be one of auto, apply, ignore"),
        ("classes: [a", "cannot be read"),
        ("classes:\n\t- road", "cannot be read"),
        ("just a string", "holds str"),
        ("classes: &a [x, y]\npalette: *a", "anchors and aliases"),
        ("[" * 5000, "cannot be read"),
        ("classes: [2020-13-45]", "cannot be read"),
    ],
)
def test_mistakes_name_the_file_and_the_key(text, complaint):
    with pytest.raises(UserError, match=rf"^[^\n]*dataset\.yaml: [^\n]*{complaint}[^\n]*$"):
        read(text)


@pytest.mark.parametrize("content", ["[{}]", '{"classes": [1]}', "[" * 100_000, "{", '[{"name": "a"}, "b"]'])
def test_a_json_file_with_something_else_is_one_line(content):
    with pytest.raises(UserError, match=r"classes\.json: [^\n]*$"):
        read(content, "classes.json")


def test_settings_come_back():
    settings = {"classes": ["a", "b"], "label_map": {0: 0, 255: 1}, "ignore": [7], "reduce_zero_label": False}
    description = Description(**settings)
    assert description.settings() == settings
    assert parse_description("classes: [a, b]", Path("dataset.yaml")).settings() == {"classes": ["a", "b"]}
