import numpy as np
import pytest
from PIL import Image

from switchseg.data.datasets import open_dataset
from switchseg.errors import UserError
from tests.data.trees import picture, save, values


def test_void_is_ignored(tmp_path):
    save(tmp_path / "train/a.png", picture(0))
    save(tmp_path / "trainannot/a.png", values(0, list(range(12))))
    dataset = open_dataset("camvid", tmp_path, "train")
    stored = values(0, list(range(12)))
    assert np.array_equal(dataset.read(0).label, np.where(stored == 11, 255, stored))
    assert dataset.classes.names[3] == "Road"
    with pytest.raises(UserError, match="no such folder; CamVid has train, val, test"):
        open_dataset("camvid", tmp_path, "val")


def test_value_12_is_a_mistake(tmp_path):
    save(tmp_path / "train/a.png", picture(0))
    save(tmp_path / "trainannot/a.png", values(0, [12]))
    with pytest.raises(
        UserError, match=r"trainannot/a\.png: label value 12 .*classes are 0 \.\. 10, ignored is 11, 255"
    ):
        open_dataset("camvid", tmp_path, "train").read(0)


@pytest.mark.parametrize(("split", "count"), [("train", 367), ("val", 101), ("test", 233)])
def test_the_real_data_set(shared_data, split, count):
    dataset = open_dataset("camvid", shared_data / "camvid", split)
    assert len(dataset) == count
    assert (dataset.sizes() == (360, 480)).all()
    sample = dataset.read(count // 2)
    stored = np.asarray(Image.open(shared_data / f"camvid/{split}annot/{sample.name}.png"))
    assert np.array_equal(sample.label, np.where(stored == 11, 255, stored))
