from pathlib import Path

import numpy as np
import pytest
import torch

from switchseg import plugins
from switchseg.data.datasets import open_dataset
from switchseg.engine.finetune import choose
from switchseg.engine.finetune.look import Found


@pytest.fixture
def found(tiny_camvid):
    train, validation = (open_dataset("camvid", tiny_camvid, split) for split in ("train", "val"))
    return Found("camvid", Path(tiny_camvid), train, validation, np.array([[360, 480]] * 8, np.int32), None)


@pytest.fixture
def choices(found, monkeypatch):
    monkeypatch.setattr(choose, "_hub_answers", lambda: False)  # whether it does is not the tests' to ask
    return choose.first_choices(found, torch.device("cpu"), None, 304)


def test_images_and_crops_are_of_the_size_that_the_device_manages(choices):
    data = choices.config.data
    assert (data.crop_short_side, data.crop_size) == (180, (160, 224))
    assert choices.config.evaluate.short_sides == (180,)


def test_small_images_keep_their_size(found, monkeypatch):
    monkeypatch.setattr(choose, "_hub_answers", lambda: False)
    small = Found(found.dataset, found.root, found.train, None, np.array([[48, 64]], np.int32), None)
    config = choose.first_choices(small, torch.device("cuda"), None, 304).config
    assert (config.data.crop_short_side, config.data.crop_size) == (48, (64, 64))


@pytest.mark.parametrize(("device", "kept"), [("cpu", "cpu"), ("cuda:0", "cuda"), ("cuda:1", "cuda:1")])
def test_the_training_goes_where_its_speed_was_measured(found, monkeypatch, device, kept):
    monkeypatch.setattr(choose, "_hub_answers", lambda: False)
    config = choose.first_choices(found, torch.device(device), None, 304).config
    assert config.train.device == kept
    assert config.data.crop_short_side == (180 if device == "cpu" else 360)


def test_plugins_are_part_of_what_is_chosen(found, monkeypatch):
    monkeypatch.setattr(choose, "_hub_answers", lambda: False)
    monkeypatch.setattr(plugins, "_imported", ["/somewhere/encoder.py"])
    config = choose.first_choices(found, torch.device("cpu"), None, 304).config
    assert config.plugins == ("/somewhere/encoder.py",)


@pytest.mark.parametrize(("at_once", "norm", "scale"), [(1, "sn", 100), (2, "sn", 100), (4, "sn", 100), (8, "bn", 1)])
def test_the_norm_follows_how_many_images_fit_at_once(choices, at_once, norm, scale):
    config = choose.with_batch(choices, at_once, 8).config
    assert (config.model.norm, config.optim.mixing_lr_scale) == (norm, scale)
    assert config.train.images_per_device * config.train.accumulate == 8
    assert config.optim.lr_encoder == pytest.approx(2 * choose.LR_ENCODER if config.model.pretrained else 2e-3)


@pytest.mark.parametrize(("images", "wanted"), [(1, 1), (2, 2), (3, 2), (5, 4), (7, 4), (8, 8), (1000, 8)])
def test_few_images_make_a_step_of_a_power_of_two(choices, images, wanted):
    assert choose.images_per_step("cuda", images) == wanted
    assert choose.images_per_step("cpu", images) == min(wanted, 2)
    lines = list(choose.with_batch(choices, wanted, wanted).lines())
    assert any(line.endswith(f": {wanted} images a step; as many as wanted") for line in lines)


def test_without_weights_the_training_begins_at_random(choices, found, monkeypatch):
    monkeypatch.setattr(choose, "find_installed", lambda name: None)
    monkeypatch.setattr(choose, "_hub_answers", lambda: False)
    scratch = choose.first_choices(found, torch.device("cpu"), None, 304)
    assert scratch.config.model.pretrained is None
    assert choose.with_batch(scratch, 2, 2).config.model.norm_init is None
    assert any("from scratch" in line for line in scratch.lines())


def test_the_length_is_in_proportion(choices):
    config = choose.with_length(choices, 400, "the test's").config
    assert (config.train.steps, config.train.evaluate_every, config.optim.warmup_steps) == (400, 100, 20)
    assert choose.usual_steps(30, 2) == choose.IMAGES_SEEN[0] // 2
    assert choose.usual_steps(100, 2) == choose.EPOCHS * 50
    assert choose.usual_steps(100_000, 8) == choose.IMAGES_SEEN[1] // 8


def test_every_choice_has_a_line_with_its_reason(choices):
    lines = list(choose.with_length(choose.with_batch(choices, 1, 2), 51, "all there is time for").lines())
    assert any(line.startswith("train.steps 48: all there is time for") for line in lines)
    assert any(
        "train.images_per_device 1, train.accumulate 2: 2 images a step; more do not fit" in line for line in lines
    )
