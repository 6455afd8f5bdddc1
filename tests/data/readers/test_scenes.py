import numpy as np
import pytest

from switchseg.data.datasets import open_dataset
from switchseg.data.scenes.classes import SCENE_CLASSES
from switchseg.data.scenes.generate import make_scenes
from switchseg.errors import UserError


def test_generated_scenes_open_by_folder_and_by_list(tmp_path):
    list(make_scenes(tmp_path, images=2, seed=3, workers=1))
    by_folder = open_dataset("scenes", tmp_path, "train")
    by_list = open_dataset("scenes", tmp_path, "train", tmp_path / "training.odgt")
    assert by_folder.classes == SCENE_CLASSES
    assert len(by_folder) == len(by_list) == 2
    for index in range(2):
        assert np.array_equal(by_folder.read(index).label, by_list.read(index).label)
    assert len(open_dataset("scenes", tmp_path, "val")) == 1


def test_other_folders_are_told_how_to_become_scenes(tmp_path):
    with pytest.raises(UserError, match="switchseg make-scenes --out"):
        open_dataset("scenes", tmp_path, "train")
