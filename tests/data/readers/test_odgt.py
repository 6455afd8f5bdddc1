import json

import numpy as np
import pytest

from switchseg.data.datasets import open_dataset
from switchseg.errors import UserError
from tests.data.trees import ade_folders, picture, save, values


def test_labels_follow_ade20ks_rule(tmp_path):
    ade_folders(tmp_path, [(20, 30), (30, 20)])
    dataset = open_dataset("odgt", tmp_path, "train")
    assert dataset.sizes().tolist() == [[20, 30], [30, 20]]
    stored = values(1, list(range(6)), 30, 20)
    expected = np.where(stored == 0, 255, stored.astype(int) - 1)
    assert np.array_equal(dataset.read(1).label, expected)
    assert np.array_equal(dataset.read(1).image, picture(1, 30, 20))
    assert dataset.read(1).name == "i1"
    assert len(dataset.classes) == 150


def test_a_list_by_name_and_classes_beside_it(tmp_path):
    ade_folders(tmp_path / "data", [(20, 30)], values_to=2)
    (tmp_path / "lists").mkdir()
    (tmp_path / "data/training.odgt").rename(tmp_path / "lists/mine.odgt")
    (tmp_path / "lists/classes.txt").write_text("a\nb\n")
    dataset = open_dataset("odgt", tmp_path / "data", "anything", tmp_path / "lists/mine.odgt")
    assert dataset.classes.names == ("a", "b")
    assert set(np.unique(dataset.read(0).label)) == {0, 1, 255}


def test_without_sizes_the_files_are_asked(tmp_path):
    ade_folders(tmp_path, [(20, 30), (11, 12)])
    lines = [json.loads(line) for line in (tmp_path / "training.odgt").read_text().splitlines()]
    bare = [json.dumps({key: line[key] for key in ("fpath_img", "fpath_segm")}) for line in lines]
    (tmp_path / "training.odgt").write_text("\n".join(bare))
    assert open_dataset("odgt", tmp_path, "train").sizes().tolist() == [[20, 30], [11, 12]]


@pytest.mark.parametrize(("width", "listed"), [(30.0, True), ("30", True), (None, False)])
def test_sizes_are_numbers_however_they_are_written(tmp_path, width, listed):
    save(tmp_path / "i.png", picture(0))
    (tmp_path / "test.odgt").write_text(json.dumps({"fpath_img": "i.png", "width": width, "height": 20}))
    dataset = open_dataset("odgt", tmp_path, "test")
    assert (dataset.listed_sizes is not None) == listed
    assert dataset.sizes().tolist() == [[20, 30]]


def test_test_lists_need_no_labels(tmp_path):
    save(tmp_path / "i.png", picture(0))
    (tmp_path / "test.odgt").write_text('{"fpath_img": "i.png"}\n')
    sample = open_dataset("odgt", tmp_path, "test").read(0)
    assert sample.label is None
    assert np.array_equal(sample.image, picture(0))


def test_equal_file_names_in_two_folders_keep_apart(tmp_path):
    for folder in ("a", "b"):
        save(tmp_path / folder / "x.png", picture(0))
    (tmp_path / "test.odgt").write_text('{"fpath_img": "a/x.png"}\n{"fpath_img": "b/x.png"}\n')
    dataset = open_dataset("odgt", tmp_path, "test")
    assert [dataset.read(i).name for i in range(2)] == ["a__x", "b__x"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{broken", "record 2: not JSON"),
        ('["a", "b"]', 'record 2: no "fpath_img"'),
        ('{"image": "a.png"}', 'record 2: no "fpath_img"'),
        ('{"fpath_img": 3}', 'record 2: no "fpath_img"'),
        ('{"fpath_img": "a.png"}, {"fpath_img": "b.png"}', "record 2: not JSON"),
        ('{"fpath_img": "../../etc/a.png"}', "leads out of the data set's folder"),
        (r'{"fpath_img": "\u002e\u002e/a.png"}', "leads out of the data set's folder"),
        ('{"fpath_img": "a.png", "fpath_segm": "/etc/passwd"}', "leads out of the data set's folder"),
        (r'{"fpath_img": "..\\a.png"}', "leads out of the data set's folder"),
        ('{"fpath_img": "..a.png", "fpath_segm": 5}', 'record 2: "fpath_segm" is 5; a path was expected'),
        ('{"fpath_img": "a.png", "fpath_segm": ["b.png"]}', r'record 2: "fpath_segm" is \[.*; a path was expected'),
        ('{"fpath_img": "a.png", "width": "wide", "height": 3}', "whole numbers"),
        ('{"fpath_img": "a.png", "width": [1, 2], "height": [1, 2]}', "whole numbers"),
        ('{"fpath_img": "a.png", "width": 682.5, "height": 3}', "record 2: width and height .* not 682.5 and 3"),
        ('{"fpath_img": "a.png", "width": 1099511627776, "height": 3}', "record 2: width and height .* whole numbers"),
        (f'{{"fpath_img": "a.png", "x": {"[" * 100_000}{"]" * 100_000}}}', "record 2: not JSON"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, complaint):
    (tmp_path / "train.odgt").write_text(f'{{"fpath_img": "ok.png"}}\n{line}\n')
    with pytest.raises(UserError, match=rf"train\.odgt.*{complaint}") as caught:
        open_dataset("odgt", tmp_path, "train")
    assert "\n" not in str(caught.value)


def test_lists_as_windows_writes_them(tmp_path):
    save(tmp_path / "a/i.png", picture(0))
    (tmp_path / "test.odgt").write_bytes(b'\xef\xbb\xbf{"fpath_img": "a\\\\i.png"}\r\n')
    sample = open_dataset("odgt", tmp_path, "test").read(0)
    assert np.array_equal(sample.image, picture(0))
    assert sample.name == "i"


def test_the_complete_list_of_ade20k(shared_data):
    dataset = open_dataset("odgt", shared_data / "ade20k_sample", "train")
    assert len(dataset) == 20_210
    sizes = dataset.sizes()
    assert sizes.shape == (20_210, 2)
    assert dataset.record(20_209).name == "ADE_train_00020210"
    assert len(open_dataset("odgt", shared_data / "ade20k_sample", "val")) == 2_000
