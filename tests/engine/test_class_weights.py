"""Weights of classes: listed, or counted once on the training split and remembered in the run."""

import dataclasses
import json

import numpy as np
import pytest

from switchseg.checkpoints import training_state
from switchseg.config.schema import RunConfig
from switchseg.data.config import DataConfig
from switchseg.data.datasets import open_dataset
from switchseg.engine.class_weights import class_pixels, class_weights, keep_class_weights
from switchseg.errors import UserError
from switchseg.losses.class_weights import from_shares
from switchseg.losses.config import LossConfig
from switchseg.runs.directory import RunDirectory
from tests.engine.steps import WORLD

AUTO = RunConfig(loss=LossConfig(class_weights="auto"))


def weights_of(config, data, folder, said=None):
    return class_weights(config, data, RunDirectory(folder), WORLD, [].append if said is None else said.append)


@pytest.fixture
def data(tiny_camvid):
    return open_dataset("camvid", str(tiny_camvid), "train")


def pixels_of(data):
    labels = np.concatenate([data.read(index).label.ravel() for index in range(len(data))])
    return [int((labels == index).sum()) for index in range(len(data.classes))]


def test_auto_counts_the_training_images_and_says_so(tmp_path, data):
    said = []
    weights = weights_of(AUTO, data, tmp_path, said)
    assert class_pixels(data, DataConfig(), WORLD).tolist() == pixels_of(data)
    assert weights == from_shares(pixels_of(data))
    assert list(tmp_path.iterdir()) == []  # what may still be refused leaves nothing
    assert len(said) == 1
    assert f"to {max(weights):.3g} ({data.classes.names[int(np.argmax(weights))]})" in said[0]


def test_a_run_with_a_checkpoint_goes_on_with_its_weights(tmp_path, data):
    file = tmp_path / "class_weights.json"
    file.write_text(json.dumps(dict.fromkeys(data.classes.names, 2.0)))
    assert weights_of(AUTO, data, tmp_path) == from_shares(pixels_of(data))  # left behind before the first checkpoint
    file.write_text(json.dumps(dict.fromkeys(data.classes.names, 2.0)))
    training_state.save(tmp_path / "checkpoints", {}, 5, keep=1)
    assert weights_of(AUTO, data, tmp_path) == (2.0,) * len(data.classes)
    kept = tuple(1 / (1 + index) for index in range(len(data.classes)))
    keep_class_weights(kept, data.classes.names, RunDirectory(tmp_path))
    assert weights_of(AUTO, data, tmp_path) == kept
    file.write_text("{}")
    with pytest.raises(UserError, match=r"class_weights\.json: holds no weight of each class"):
        weights_of(AUTO, data, tmp_path)


def test_a_list_must_have_a_number_for_each_class(tmp_path, data):
    listed = RunConfig(loss=LossConfig(class_weights=tuple(range(1, 12))))
    assert weights_of(listed, data, tmp_path) == tuple(range(1, 12))
    short = RunConfig(loss=LossConfig(class_weights=(1.0, 2.0)))
    with pytest.raises(UserError, match=r"loss\.class_weights: 2 numbers, but data set camvid has 11 classes"):
        weights_of(short, data, tmp_path)
    assert weights_of(RunConfig(), data, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_a_label_that_cannot_be_read_ends_it_or_is_left_out(tmp_path, data):
    class Broken:
        name, classes = data.name, data.classes

        def __len__(self):
            return len(data)

        def read(self, index):
            if index == 3:
                raise UserError("three.png: damaged")
            return data.read(index)

    with pytest.raises(UserError, match=r"^three\.png: damaged"):
        class_pixels(Broken(), DataConfig(), WORLD)
    skipping = dataclasses.replace(DataConfig(), on_error="skip")
    left = np.array(pixels_of(data)) - np.bincount(data.read(3).label.ravel(), minlength=256)[:11]
    assert class_pixels(Broken(), skipping, WORLD).tolist() == left.tolist()
