"""What the layers of a model mix."""

import math

import pytest
import torch
from torch import nn

from switchseg.norms import NORMS, SwitchNorm2d, norm_shares, statistics


def test_shares_name_every_layer():
    model = nn.Sequential(NORMS["sn"](4), nn.BatchNorm2d(4), NORMS["sn_in_ln"](4))
    with torch.no_grad():
        model[0].mean_weight.copy_(torch.tensor([0.0, 0.0, math.log(2)]))
    shares = norm_shares(model)
    assert set(shares) == {"0", "2"}
    assert shares["0"]["mean"] == pytest.approx({"in": 0.25, "ln": 0.25, "bn": 0.5})
    assert shares["2"]["var"] == pytest.approx({"in": 0.5, "ln": 0.5, "bn": 0.0})


def test_shares_name_a_statistic_beyond_the_three(monkeypatch):
    monkeypatch.setitem(statistics.MERGES, "pixel", statistics.MERGES["in"])
    shares = norm_shares(SwitchNorm2d(4, statistics=("bn", "pixel")))[""]
    assert shares["mean"] == pytest.approx({"in": 0.0, "ln": 0.0, "bn": 0.5, "pixel": 0.5})
