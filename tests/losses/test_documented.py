"""What docs/losses.md shows works as it stands there."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from torch.nn import functional as F

from switchseg.config.schema import RunConfig
from switchseg.labels import IGNORED
from switchseg.losses import LOSSES
from switchseg.losses.config import LossConfig
from switchseg.settings import from_mapping
from tests.losses.batches import pixels

PAGE = (Path(__file__).parents[2] / "docs" / "losses.md").read_text()


def block(language: str) -> str:
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.S)[1]


def test_the_section_of_a_config_is_read():
    loss = from_mapping(RunConfig, yaml.safe_load(block("yaml")), "docs/losses.md").loss
    assert loss.factors == {"cross_entropy": 1.0, "dice": 0.5}
    assert (loss.class_weights, loss.label_smoothing) == ("auto", 0.05)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_a_row(name):
    assert f"\n| `{name}` | " in PAGE


def test_the_loss_of_ones_own_is_what_it_says(monkeypatch):
    monkeypatch.setattr(LOSSES, "register", lambda name: lambda loss: loss)  # the registry is everybody's
    names = {}
    exec(block("python"), names)
    logits, labels = pixels()
    labelled = labels != IGNORED
    truth = F.one_hot(labels[labelled], 4)
    expected = (logits.movedim(1, -1)[labelled].softmax(-1) - truth).square().sum()
    total, weight = names["Brier"].configured(LossConfig(), None)(logits, labels)
    torch.testing.assert_close(total, expected)
    assert weight == labelled.sum()
