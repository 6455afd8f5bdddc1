import numpy as np
import pytest

from switchseg.classes import Classes
from switchseg.data.description import Description, built_in, describe, meaning_of, parse_description
from switchseg.errors import UserError


def read(tmp_path, text, name="dataset.yaml"):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return meaning_of(tmp_path)


def mapped(meaning, *values):
    return meaning.label_map(np.array([values], np.uint8), "a.png")[0].tolist()


def test_names_one_a_line(tmp_path):
    meaning = read(tmp_path, "road\n\ntraffic light  # with a blank\n", "classes.txt")
    assert meaning.classes.names == ("road", "traffic light")
    assert mapped(meaning, 0, 1, 255) == [0, 1, 255]


def test_form_of_a_models_config(tmp_path):
    meaning = read(tmp_path, '[{"name": "a", "color": [1, 2, 3]}]', "classes.json")
    assert meaning.classes.to_json() == [{"name": "a", "color": [1, 2, 3]}]


def test_the_keys_of_dataset_yaml(tmp_path):
    assert mapped(read(tmp_path, "classes: [a, b]\nreduce_zero_label: true"), 0, 1, 2) == [255, 0, 1]
    assert mapped(read(tmp_path, "classes: [a, b]\nlabel_map: {7: 1, 9: 0, 8: 255}"), 7, 8, 9, 255) == [1, 255, 0, 255]
    assert mapped(read(tmp_path, "classes: [a, b]\nlabel_map: {7: b, 9: a}"), 7, 9) == [1, 0]
    assert mapped(read(tmp_path, "classes: [a, b]\nignore: [17]"), 0, 1, 17) == [0, 1, 255]
    assert read(tmp_path, "classes: [a, b]\nexif_orientation: ignore").exif_orientation == "ignore"
    assert read(tmp_path, "classes: {0: a, 1: b}").classes.names == ("a", "b")


def test_colour_masks_may_have_several_void_colours(tmp_path):
    text = "classes: [a, b]\npalette: [[1, 0, 0], '#000100']\ncolour_masks: true\nignore: [[224, 224, 224]]"
    mask = np.array([[[0, 1, 0], [0, 0, 0], [224, 224, 224], [1, 0, 0]]], np.uint8)
    assert read(tmp_path, text).label_map(mask, "a.png").tolist() == [[1, 255, 255, 0]]


@pytest.mark.parametrize("name", ["classes.txt", "classes.json"])
def test_settings_may_leave_the_classes_to_a_class_file(tmp_path, name):
    (tmp_path / name).write_text("road\ncar\n" if name.endswith("txt") else '["road", "car"]')
    meaning = read(tmp_path, "ignore: [2]")
    assert meaning.classes.names == ("road", "car")
    assert mapped(meaning, 0, 1, 2) == [0, 1, 255]
    assert read(tmp_path, "classes: [a]").classes.names == ("a",)


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
        ("# x\n" * 300_000, "more than 1048576 bytes"),
    ],
)
def test_mistakes_name_the_file_and_the_key(tmp_path, text, complaint):
    with pytest.raises(UserError, match=rf"^[^\n]*dataset\.yaml: [^\n]*{complaint}[^\n]*$"):
        read(tmp_path, text)


@pytest.mark.parametrize("content", ["[{}]", '{"classes": [1]}', "[" * 100_000, "{", '[{"name": "a"}, "b"]'])
def test_a_json_file_with_something_else_is_one_line(tmp_path, content):
    with pytest.raises(UserError, match=r"classes\.json: [^\n]*$"):
        read(tmp_path, content, "classes.json")


@pytest.mark.parametrize("name", ["dataset.yaml", "classes.txt", "classes.json"])
def test_an_empty_description_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=name.replace(".", r"\.")):
        read(tmp_path, "", name)


def test_the_nearest_folder_wins(tmp_path):
    (tmp_path / "near").mkdir()
    (tmp_path / "classes.txt").write_text("far\n")
    assert describe(tmp_path / "near") is None
    assert describe(tmp_path / "near", tmp_path).description.classes == ["far"]
    (tmp_path / "near" / "classes.txt").write_text("near\n")
    assert describe(tmp_path / "near", tmp_path).description.classes == ["near"]


def test_a_data_set_that_is_known_by_its_name_heeds_dataset_yaml_alone(tmp_path):
    own = Classes.unnamed(3)
    (tmp_path / "classes.txt").write_text("something else\n")
    assert built_in(tmp_path, own).classes == own
    (tmp_path / "dataset.yaml").write_text("ignore: [7]")
    assert built_in(tmp_path, own).classes == own
    assert mapped(built_in(tmp_path, own), 2, 7) == [2, 255]
    (tmp_path / "dataset.yaml").write_text("classes: [a, b]")
    assert built_in(tmp_path, own).classes.names == ("a", "b")


def test_settings_come_back(tmp_path):
    settings = {"classes": ["a", "b"], "label_map": {0: 0, 255: 1}, "ignore": [7], "reduce_zero_label": False}
    description = Description(**settings)
    assert description.settings() == settings
    assert parse_description("classes: [a, b]", tmp_path / "dataset.yaml").settings() == {"classes": ["a", "b"]}


def test_a_label_map_may_name_the_classes_of_the_class_file(tmp_path):
    (tmp_path / "classes.txt").write_text("road\ncar\n")
    (tmp_path / "dataset.yaml").write_text("label_map: {7: road, 26: car, 0: 255}\n")
    meaning = meaning_of(tmp_path)
    assert meaning.classes.names == ("road", "car")
    assert meaning.label_map.values == {7: 0, 26: 1, 0: 255, 255: 255}


def test_a_class_file_that_is_not_needed_is_not_read(tmp_path):
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe broken")
    (tmp_path / "dataset.yaml").write_text("classes: [a, b]\n")
    assert describe(tmp_path).description.classes == ["a", "b"]


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"near/classes.txt": "\n".join(map(str, range(300)))}, r"near/classes\.txt: 300 classes"),
        ({"near/classes.json": '{"classes": ["a"], "palette": [[1, 2, 3], [4, 5, 6]]}'}, r"classes\.json: 2 colours"),
        ({"dataset.yaml": "classes: [a]\nlabel_map: {1: 7}"}, r"dataset\.yaml: label_map names class 7"),
        (
            {"near/dataset.yaml": "palette: [[1, 2, 3]]", "near/classes.txt": "a\nb"},
            r"near/dataset\.yaml with classes\.txt: 1 colours for 2 classes",
        ),
    ],
)
def test_what_does_not_fit_is_said_of_the_file_that_says_it(tmp_path, files, complaint):
    (tmp_path / "near").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=complaint):
        meaning_of(tmp_path / "near", tmp_path, own=Classes.unnamed(3))
