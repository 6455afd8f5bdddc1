"""What docs/losses.md shows works as it stands there."""

import re
from pathlib import Path

import pytest
import yaml

from switchseg.config.schema import RunConfig
from switchseg.losses import LOSSES
from switchseg.settings import from_mapping

PAGE = (Path(__file__).parents[2] / "docs" / "losses.md").read_text()


def test_the_section_of_a_config_is_read():
    loss = from_mapping(RunConfig, yaml.safe_load(re.search("```yaml\n(.*?)```", PAGE, re.S)[1]), "docs/losses.md").loss
    assert loss.factors == {"cross_entropy": 1.0, "dice": 0.5}
    assert (loss.class_weights, loss.label_smoothing) == ("auto", 0.05)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_a_row(name):
    assert f"\n| `{name}` | " in PAGE
