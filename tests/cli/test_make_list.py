"""`switchseg make-list`."""

import json

import numpy as np
import pytest

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


def test_make_list_of_images_alone(tmp_path, capsys):
    save(tmp_path / "images/a.png", picture(0))
    assert main(["make-list", "--root", str(tmp_path), "--out", str(tmp_path / "test.odgt")]) == 0
    assert json.loads((tmp_path / "test.odgt").read_text()) == {"fpath_img": "images/a.png", "width": 30, "height": 20}
    assert f"1 records in {tmp_path}/test.odgt, without labels (there is no {tmp_path}/annot" in capsys.readouterr().out


def test_make_list_matches_names_with_endings(tmp_path, capsys):
    save(tmp_path / "images/a_image.png", picture(0))
    save(tmp_path / "masks/a_mask.png", values(0, [0, 1]))
    assert main(["make-list", "--root", str(tmp_path), "--out", str(tmp_path / "l.odgt"), "--labels", "masks"]) == 0
    assert json.loads((tmp_path / "l.odgt").read_text())["fpath_segm"] == "masks/a_mask.png"
    assert "matched by name: images *_image.*, labels *_mask.*" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--labels", "lables"], "lables: no such folder"),
        (["--images", "../images"], "--images: ../images leads out of the data set's folder"),
        (["--labels", "/"], "--labels: / leads out of the data set's folder"),
    ],
)
def test_folders_that_are_not_there_or_elsewhere_are_named(tmp_path, capsys, flags, complaint):
    save(tmp_path / "images/a.png", picture(0))
    assert main(["make-list", "--root", str(tmp_path), "--out", str(tmp_path / "l.odgt"), *flags]) == 2
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "l.odgt").exists()


def test_make_list_names_what_is_missing(tmp_path, capsys):
    assert main(["make-list", "--root", str(tmp_path), "--out", str(tmp_path / "l.odgt")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"switchseg: error: {tmp_path}/images: no such folder")
    assert error.count("\n") == 1
