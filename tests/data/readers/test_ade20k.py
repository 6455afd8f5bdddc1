import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from switchseg.data.datasets import open_dataset
from switchseg.data.readers.ade20k_classes import ADE20K
from switchseg.errors import UserError
from tests.data.trees import ade_folders, values


@pytest.mark.parametrize("below", ["", "ADEChallengeData2016"])
@pytest.mark.parametrize("split", ["val", "validation"])
def test_published_folders(tmp_path, below, split):
    ade_folders(tmp_path / below, [(20, 30), (30, 20)], "validation")
    ade_folders(tmp_path / below, [(20, 30)], "training")
    dataset = open_dataset("ade20k", tmp_path, split)
    assert len(dataset) == 2
    stored = values(0, list(range(6)))
    assert np.array_equal(dataset.read(0).label, np.where(stored == 0, 255, stored.astype(int) - 1))
    assert dataset.read(0).name == "i0"
    assert dataset.sizes().tolist() == [[20, 30], [30, 20]]


def test_an_unknown_split_is_named(tmp_path):
    ade_folders(tmp_path, [(20, 30)])
    with pytest.raises(UserError, match=r"images/extra: no such folder; the splits are train, val and test"):
        open_dataset("ade20k", tmp_path, "extra")


def test_the_real_sample(shared_data):
    root = shared_data / "ade20k_sample"
    dataset = open_dataset("ade20k", root, "val")
    assert [dataset.read(i).name for i in range(3)] == [f"ADE_val_0000000{i}" for i in (1, 2, 3)]
    for index in range(3):
        sample = dataset.read(index)
        stored = np.asarray(Image.open(root / f"annotations/{sample.name}.png")).astype(int)
        assert np.array_equal(sample.label, np.where(stored == 0, 255, stored - 1))
        assert np.array_equal(sample.image, np.asarray(Image.open(root / f"images/{sample.name}.jpg").convert("RGB")))


def test_the_real_sample_by_a_list(shared_data, tmp_path):
    lines = []
    for number in (3, 1):
        name = f"ADE_val_0000000{number}"
        lines.append(json.dumps({"fpath_img": f"images/{name}.jpg", "fpath_segm": f"annotations/{name}.png"}))
    (tmp_path / "two.odgt").write_text("\n".join(lines))
    dataset = open_dataset("ade20k", shared_data / "ade20k_sample", "val", tmp_path / "two.odgt")
    assert [dataset.read(i).name for i in range(2)] == ["ADE_val_00000003", "ADE_val_00000001"]
    assert dataset.sizes().tolist() == [[300, 400], [512, 683]]


def test_names_and_colours_are_those_of_the_benchmark(shared_data):
    published = json.loads((shared_data / "ade20k_sample/classes150.json").read_text())
    assert ADE20K.palette == tuple(tuple(entry["color"]) for entry in published)
    for name, entry in zip(ADE20K.names, published, strict=True):
        assert set(name.split()) <= set(entry["name"].replace(";", " ").split())
    assert len(set(ADE20K.names)) == 150


def test_the_classes_never_change():
    digest = hashlib.sha256(json.dumps(ADE20K.to_json()).encode()).hexdigest()
    assert digest.startswith("8a3e3b65abf1889c")
