"""Short trainings with one norm: how they are set up, and what is measured of them."""

from dataclasses import replace

import pytest
import torch

from switchseg.config.schema import EvaluateConfig, RunConfig, TrainConfig
from switchseg.data.config import DataConfig
from switchseg.engine.norm_choice.candidate import configured, settings_of, statistics_of_batches, train_candidate
from switchseg.engine.setup import open_training, open_validation
from switchseg.errors import UserError
from switchseg.models.config import ModelConfig
from switchseg.models.create import create_model
from switchseg.optim.config import OptimConfig
from tests.engine.steps import WORLD


def make_config(root, **model) -> RunConfig:
    return RunConfig(
        model=ModelConfig(encoder="test_resnet_dilated8", decoder="c1", **model),
        data=DataConfig(dataset="camvid", root=str(root), short_sides=(32,), max_long_side=64, workers=0),
        train=TrainConfig(device="cpu", ema_decay=0.999, epochs=7.0),
        optim=OptimConfig(lr_encoder=0.01, lr_decoder=0.01, warmup_steps=1000),
        evaluate=EvaluateConfig(short_sides=(32,)),
    )


def test_only_sn_is_given_what_lets_its_shares_move():
    config = make_config("", pretrained="imagenet", norm_init="bn")
    bn, sn = (configured(config, norm, 1, 50) for norm in ("bn", "sn"))
    assert (bn.model.norm, bn.model.norm_init, bn.optim.mixing_lr_scale) == ("bn", "bn", 1)
    assert (sn.model.norm, sn.model.norm_init, sn.optim.mixing_lr_scale) == ("sn", 0.9, 100)
    assert configured(make_config(""), "sn", 1, 50).model.norm_init is None
    assert configured(make_config("", pretrained="imagenet", norm_init=0.5), "sn", 1, 50).model.norm_init == 0.5


def test_the_settings_are_those_that_were_tried():
    config = make_config("", pretrained="imagenet")
    assert settings_of(configured(config, "gn", 1, 50)) == {"model.norm": "gn"}
    assert settings_of(configured(config, "sn", 1, 50)) == {
        "model.norm": "sn",
        "model.norm_init": 0.9,
        "optim.mixing_lr_scale": 100,
    }
    assert "model.norm_init" not in settings_of(configured(make_config(""), "sn", 1, 50))


def test_what_is_meant_for_a_long_training_is_cut_to_a_short_one():
    found = configured(make_config(""), "bn", 7, 50)
    assert (found.train.steps, found.train.epochs, found.train.seed) == (50, None, 7)
    assert (found.train.ema_decay, found.optim.warmup_steps) == (None, 5)


@pytest.mark.parametrize("norm", ["bn", "gn", "sn"])
def test_a_training_is_scored_and_timed_and_the_same_each_time(tiny_camvid, norm):
    config = configured(make_config(tiny_camvid), norm, 3, 4)
    sets = open_training(config.data), open_validation(config.data)
    counted = []
    one, again = (train_candidate(config, *sets, WORLD, None, counted.append) for _ in range(2))
    assert len(counted) == 8
    assert replace(one, seconds=0) == replace(again, seconds=0)
    assert 0 <= one.mean_iou <= 1
    assert one.seconds > 0
    assert one.by_statistics.keys() == (set() if norm == "gn" else {"running", "batch"})
    assert bool(one.shares) == (norm == "sn")


def test_a_training_that_fails_names_its_norm(tiny_camvid):
    config = configured(make_config(tiny_camvid), "in", 3, 4)
    broken = replace(config, optim=replace(config.optim, lr_encoder=1e30, lr_decoder=1e30))
    with pytest.raises(UserError, match=r"model\.norm in: step \d: the loss is"):
        train_candidate(broken, open_training(config.data), open_validation(config.data), WORLD, None, lambda _: None)


@pytest.mark.parametrize("norm", ["bn", "sn"])
def test_statistics_of_batches_are_those_of_training_and_leave_no_trace(norm):
    model = create_model("test_resnet_dilated8", "c1", norm, 3)
    norms = [module for module in model.modules() if hasattr(module, "running_mean")]
    images = torch.rand(4, 3, 32, 32)
    with torch.no_grad():
        before = model.eval()(images)
        with statistics_of_batches(model, norms):
            inside = model(images)
        torch.testing.assert_close(model(images), before, rtol=0, atol=0)
        torch.testing.assert_close(model.train()(images), inside, rtol=0, atol=0)
    assert not torch.equal(inside, before)
