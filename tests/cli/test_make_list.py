"""`switchseg make-list`."""

import json

import numpy as np

from switchseg.cli import main
from switchseg.data.datasets import open_dataset
from tests.data.trees import picture, save, values, write_pairs


def test_make_list_writes_what_odgt_opens(tmp_path, capsys):
    root = write_pairs(tmp_path / "data", [0, 1, 2], ("ä/one", "two"))
    assert main(["make-list", "--root", str(root), "--out", str(root / "training.odgt")]) == 0
    assert f"2 records in {root}/training.odgt" in capsys.readouterr().out
    dataset = open_dataset("odgt", root, "train")
    assert dataset.sizes().tolist() == [[24, 31], [24, 30]]
    assert sorted(dataset.read(i).name for i in range(2)) == ["two", "ä__one"]
    stored = values(0, [0, 1, 2], 24, 30)
    assert np.array_equal(dataset.read(1).label, np.where(stored == 0, 255, stored.astype(int) - 1))


def test_make_list_of_images_alone(tmp_path):
    save(tmp_path / "images/a.png", picture(0))
    assert main(["make-list", "--root", str(tmp_path), "--out", str(tmp_path / "test.odgt")]) == 0
    assert json.loads((tmp_path / "test.odgt").read_text()) == {"fpath_img": "images/a.png", "width": 30, "height": 20}


def test_make_list_names_what_is_missing(tmp_path, capsys):
    assert main(["make-list", "--root", str(tmp_path), "--out", str(tmp_path / "l.odgt")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"switchseg: error: {tmp_path}/images: no such folder")
    assert error.count("\n") == 1
