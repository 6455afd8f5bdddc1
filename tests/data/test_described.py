import numpy as np
import pytest

from switchseg.classes import Classes
from switchseg.data.described import built_in, describe, meaning_of
from switchseg.errors import UserError


def read(tmp_path, text, name="dataset.yaml"):
    (tmp_path / name).write_text(text)
    return meaning_of(tmp_path)


def mapped(meaning, *values):
    return meaning.label_map(np.array([values], np.uint8), "a.png")[0].tolist()


@pytest.mark.parametrize("name", ["classes.txt", "classes.json"])
def test_settings_may_leave_the_classes_to_a_class_file(tmp_path, name):
    (tmp_path / name).write_text("road\ncar\n" if name.endswith("txt") else '["road", "car"]')
    meaning = read(tmp_path, "ignore: [2]")
    assert meaning.classes.names == ("road", "car")
    assert mapped(meaning, 0, 1, 2) == [0, 1, 255]
    assert read(tmp_path, "classes: [a]").classes.names == ("a",)


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


def test_a_file_too_large_for_a_description_is_not_read(tmp_path):
    with pytest.raises(UserError, match=r"^[^\n]*dataset\.yaml: more than 1048576 bytes[^\n]*$"):
        read(tmp_path, "# x\n" * 300_000)
