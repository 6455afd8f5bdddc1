"""Every config that ships is read and says what a reader needs to know."""

from pathlib import Path

import pytest

from switchseg.config import yaml
from switchseg.config.schema import RunConfig
from switchseg.models.create import create_model

CONFIGS = Path(__file__).parents[2] / "configs"
ALL = sorted(CONFIGS.rglob("*.yaml"))


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.relative_to(CONFIGS).as_posix())
def test_config_is_read_and_its_model_can_be_built(path):
    config = yaml.load(path, RunConfig)
    create_model(config.model.encoder, config.model.decoder, config.model.norm, num_classes=2)


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.relative_to(CONFIGS).as_posix())
def test_header_states_command_hardware_time_and_score(path):
    header = [line for line in path.read_text().splitlines() if line.startswith("#")]
    for key in ("Command:", "Hardware:", "Time:", "Score:"):
        assert any(key in line for line in header), key


@pytest.mark.parametrize("norm", ["sn", "gn", "syncbn"])
def test_ade20k_settings_are_those_of_2018(norm):
    config = yaml.load(CONFIGS / "ade20k" / f"resnet50_dilated8-c1_bilinear_deepsup-{norm}.yaml", RunConfig)
    assert config.train.steps == 20 * 5000
    assert config.train.images_per_device == 2
    assert config.data.short_sides == (300, 375, 450, 525, 600)
    assert (config.optim.lr_encoder, config.optim.lr_decoder, config.optim.poly_power) == (0.02, 0.02, 0.9)
    assert (config.optim.weight_decay, config.optim.momentum, config.loss.auxiliary_weight) == (1e-4, 0.9, 0.4)
    assert config.evaluate.short_sides == (450,)
    assert config.evaluate.multi_short_sides == (300, 400, 500, 600)
    assert (config.data.pipeline, config.data.resize) == ("short_side", "pillow")
    assert config.model.preprocessing == "bgr"
    assert config.model.norm == norm
