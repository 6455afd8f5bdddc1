"""Which norm data want, on scenes where that is known, and what is refused before any training."""

from dataclasses import replace
from pathlib import Path

import pytest
from torch import nn

from switchseg.config import yaml
from switchseg.config.schema import RunConfig, TrainConfig
from switchseg.data.scenes.generate import make_scenes
from switchseg.engine.finetune.probe import Speed
from switchseg.engine.norm_choice.choice import FEWEST_STEPS, choose_norm, fitting_steps, require_norms, shares_by_depth
from switchseg.errors import UserError
from switchseg.models.config import ModelConfig
from switchseg.norms import SwitchNorm2d
from tests.engine.norm_choice.test_candidate import make_config

CONFIG = Path(__file__).parents[3] / "docs" / "results" / "probe" / "scenes.yaml"


def test_shares_are_averaged_by_depth_over_moments_and_networks():
    def network(share):
        def layer(of_in):
            return {moment: {"in": of_in, "ln": 0.0, "bn": 1 - of_in} for moment in ("mean", "var")}

        return {
            "encoder.a": layer(1.0),
            "encoder.b": layer(share),
            "decoder.c": layer(0.5),
            "auxiliary.d": layer(0.0),
        }

    found = shares_by_depth([network(0.2), network(0.4)])
    assert {part: values["in"] for part, values in found.items()} == pytest.approx(
        {"encoder 2/4": 1.0, "encoder 4/4": 0.3, "decoder": 0.5, "all": 0.6}
    )
    assert all(sum(values.values()) == pytest.approx(1) for values in found.values())


def test_as_many_steps_are_made_as_fit_into_the_time():
    speed = Speed(start=2.0, step=0.5, image=0.1)
    # 12 trainings of 50 s: 2 to start, 3 x 10 x 0.1 to score 10 images three times, and 90 steps.
    assert fitting_steps(speed, trainings=12, images=10, minutes=10) == 90
    with pytest.raises(UserError, match=rf"less than {FEWEST_STEPS} steps for each of 12 .* at least 4 minutes"):
        fitting_steps(speed, trainings=12, images=10, minutes=2)


@pytest.mark.parametrize(
    ("model", "train", "seeds", "says"),
    [
        ({}, {"freeze_norms": True}, (1, 2), r"train\.freeze_norms"),
        ({"pretrained": "."}, {}, (1, 2), r"model\.pretrained \.: a whole model"),
        ({}, {}, (1, 1), "seeds: two or more"),
    ],
)
def test_what_leaves_nothing_to_choose_is_refused(model, train, seeds, says):
    config = make_config("nowhere")
    config = replace(config, model=ModelConfig(**model), train=TrainConfig(**train))
    with pytest.raises(UserError, match=says):
        choose_norm(config, steps=3, seeds=seeds)


def test_a_network_without_norms_is_refused():
    require_norms(nn.Sequential(nn.Conv2d(3, 4, 1), SwitchNorm2d(4)))
    with pytest.raises(UserError, match="this network has no norm"):
        require_norms(nn.Sequential(nn.Conv2d(3, 4, 1), nn.LayerNorm(4)))


def choice_on_scenes(folder, style_spread, images, steps, seeds):
    """Return what docs/results/probe measured, with its config: there the answers are far from their margins."""
    list(make_scenes(folder / "scenes", 320, 1, 1, style_spread))
    config = yaml.load(CONFIG, RunConfig)
    config = replace(
        config,
        data=replace(config.data, root=str(folder / "scenes")),
        train=replace(config.train, images_per_device=images),
    )
    return choose_norm(config, steps=steps, seeds=seeds)


@pytest.mark.slow
def test_two_images_of_many_styles_want_in(tmp_path):
    choice = choice_on_scenes(tmp_path, style_spread=4, images=2, steps=120, seeds=(1, 2, 3))
    assert choice.verdict.norm == "in", choice.verdict.reason
    assert choice.shares["encoder 1/4"]["in"] > 0.4, choice.shares


@pytest.mark.slow
def test_many_images_of_one_style_want_bn(tmp_path):
    choice = choice_on_scenes(tmp_path, style_spread=0, images=32, steps=40, seeds=(1, 2))
    assert choice.verdict.norm == "bn", choice.verdict.reason
    assert choice.verdict.close[0] == "bn"
