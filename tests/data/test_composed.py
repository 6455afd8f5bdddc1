import numpy as np
import pytest

from switchseg.data.composed import Subset
from switchseg.data.datasets import open_dataset
from tests.data.trees import picture, plain_folders, save, values


@pytest.fixture
def root(tmp_path):
    return plain_folders(tmp_path)


def test_splits_are_joined_one_after_the_other(root):
    for number in range(2):
        save(root / f"images/val/v{number}.png", picture(10 + number))
        save(root / f"masks/val/v{number}.png", values(number, [0, 1, 2, 255]))
    joined = open_dataset("folder", root, "train+val")
    assert [joined.read(index).name for index in range(len(joined))] == ["0", "1", "2", "v0", "v1"]
    assert np.array_equal(joined.read(3).image, picture(10))
    assert joined.sizes().shape == (5, 2)


def test_names_that_joined_splits_share_tell_the_split(root):
    for name in ("0", "v1"):
        save(root / f"images/val/{name}.png", picture(10))
        save(root / f"masks/val/{name}.png", values(0, [0, 1, 2, 255]))
    joined = open_dataset("folder", root, "train+validation")
    names = ["train-0", "1", "2", "val-0", "v1"]
    assert [joined.read(index).name for index in range(len(joined))] == names
    assert [joined.name_of(index) for index in range(len(joined))] == names


def test_a_subset_reads_its_samples_of_the_whole(root):
    whole = open_dataset("folder", root, "train")
    few = Subset(whole, [2, 0])
    assert [few.read(index).name for index in range(len(few))] == ["2", "0"]
    assert few.sizes().shape == (2, 2)
    few.decoder = "simplejpeg"
    assert (few.decoder, whole.decoder) == ("simplejpeg", "pillow")
