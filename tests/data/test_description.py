import numpy as np
import pytest

from switchseg.data.description import describe
from switchseg.errors import UserError


def read(tmp_path, text, name="dataset.yaml"):
    (tmp_path / name).write_text(text)
    return describe(tmp_path)


def mapped(description, *values):
    return description.to_label_map(description.to_classes())(np.array([values], np.uint8), "a.png")[0].tolist()


def test_names_one_a_line(tmp_path):
    description = read(tmp_path, "road\n\ntraffic light  # with a blank\n", "classes.txt")
    assert description.to_classes().names == ("road", "traffic light")
    assert mapped(description, 0, 1, 255) == [0, 1, 255]


def test_names_with_colours(tmp_path):
    description = read(tmp_path, "traffic light 250 170 30\ncar 0 0 142\n", "classes.txt")
    assert description.to_classes().palette == ((250, 170, 30), (0, 0, 142))


def test_form_of_a_models_config(tmp_path):
    description = read(tmp_path, '[{"name": "a", "color": [1, 2, 3]}]', "classes.json")
    assert description.to_classes().to_json() == [{"name": "a", "color": [1, 2, 3]}]


def test_the_keys_of_dataset_yaml(tmp_path):
    assert mapped(read(tmp_path, "classes: [a, b]\nreduce_zero_label: true"), 0, 1, 2) == [255, 0, 1]
    assert mapped(read(tmp_path, "classes: [a, b]\nlabel_map: {7: 1, 9: 0, 8: 255}"), 7, 8, 9, 255) == [1, 255, 0, 255]
    assert mapped(read(tmp_path, "classes: [a, b]\nignore: [17]"), 0, 1, 17) == [0, 1, 255]
    coloured = read(tmp_path, "classes: [a, b]\npalette: [[1, 0, 0], [0, 1, 0]]\ncolour_masks: true")
    label = coloured.to_label_map(coloured.to_classes())(np.array([[[0, 1, 0], [0, 0, 0]]], np.uint8), "a.png")
    assert label.tolist() == [[1, 255]]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("classes: [a]\nreduce_zero: true", "unknown key 'reduce_zero'"),
        ("reduce_zero_label: true", "no classes"),
        ("classes: [a, b]\npalette: [[1, 2, 3]]", "1 colours for 2 classes"),
        ("classes: [a]\npalette: [[1, 2, 300]]", "three whole numbers"),
        ("classes: [a]\nlabel_map: {1: 1}", "label_map"),
        ("classes: [a]\nlabel_map: [1]", "label_map must be a mapping"),
        ("classes: [a]\ncolour_masks: true", "needs a palette"),
        ("classes: [a", "cannot be read"),
        ("just a string", "holds str"),
    ],
)
def test_mistakes_name_the_file_and_the_key(tmp_path, text, complaint):
    with pytest.raises(UserError, match=rf"dataset\.yaml: .*{complaint}") as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_the_nearest_folder_wins(tmp_path):
    (tmp_path / "near").mkdir()
    (tmp_path / "classes.txt").write_text("far\n")
    assert describe(tmp_path / "near") is None
    assert describe(tmp_path / "near", tmp_path).classes == ["far"]
    (tmp_path / "near" / "classes.txt").write_text("near\n")
    assert describe(tmp_path / "near", tmp_path).classes == ["near"]
