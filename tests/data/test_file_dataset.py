from pathlib import Path

import numpy as np
import pytest

from switchseg.classes import Classes
from switchseg.data.file_dataset import FileDataset, file_record, sample_name
from switchseg.data.labels import LabelMap, Meaning
from switchseg.data.records import Lines
from tests.data.trees import picture, save, values


def test_a_line_of_the_list_names_the_files_of_a_sample(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / f"{name}.png", picture(ord(name)))
        save(tmp_path / f"{name}_label.png", values(0, [0, 1]))
    classes = Classes.unnamed(2)
    meaning = Meaning(classes, LabelMap.identity(classes), "auto")
    dataset = FileDataset(
        "pair",
        meaning,
        Lines.pack(["a", "b"]),
        lambda line: file_record(tmp_path, f"{line}.png", f"{line}_label.png", line),
    )
    assert len(dataset) == 2
    assert np.array_equal(dataset.read(1).image, picture(ord("b")))
    assert dataset.record(0).label_name == str(tmp_path / "a_label.png")


@pytest.mark.parametrize(
    ("path", "word", "name"),
    [
        ("leftImg8bit/val/bonn/bonn_0.png", "", "bonn__bonn_0"),
        ("leftImg8bit/val/bonn/bonn_0_leftImg8bit.png", "_leftImg8bit", "bonn__bonn_0"),
        ("leftImg8bit/val/bonn/bonn_0_leftImg8bit.JPG", "_leftImg8bit", "bonn__bonn_0"),
        ("leftImg8bit/val/\udcff.png", "", r"\udcff"),
    ],
)
def test_a_sample_is_named_by_its_path_below_the_folder(path: str, word: str, name: str) -> None:
    assert sample_name(path, "leftImg8bit/val/", word) == name
