"""The names of the norms, each of them at work."""

import math
import subprocess
import sys

import pytest
import timm
import torch
from torch import nn

from switchseg.norms import NORMS, find_norm, norm_shares


@pytest.mark.parametrize("name", NORMS)
def test_every_norm_trains(name):
    torch.manual_seed(0)
    layer = NORMS[name](6, device="cpu", dtype=torch.float64)
    x = torch.randn(2, 6, 5, 7, dtype=torch.float64, requires_grad=True)
    layer(x).pow(3).sum().backward()
    assert x.grad.abs().sum() > 0
    assert all(parameter.grad is not None for parameter in layer.parameters())
    assert layer.eval()(x).shape == x.shape
    assert layer.weight.shape == layer.bias.shape == (6,)


@pytest.mark.parametrize("name", NORMS)
def test_every_norm_fits_a_timm_encoder(name):
    encoder = timm.create_model("resnet18", features_only=True, norm_layer=NORMS[name], output_stride=8)
    assert [feature.shape[-1] for feature in encoder(torch.randn(2, 3, 32, 32))] == [16, 8, 4, 4, 4]


@pytest.mark.parametrize("name", [name for name in NORMS if name not in ("bn", "syncbn")])
def test_every_norm_takes_one_pixel_of_one_image(name):
    """Where batch norm has nothing to average, torch refuses."""
    layer = NORMS[name](32)
    x = torch.randn(1, 32, 1, 1, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.isfinite().all()


def test_group_norm_has_the_groups_of_its_paper():
    for channels in (8, 24, 32, 48, 256):
        expected = nn.GroupNorm(math.gcd(32, channels), channels)
        x = torch.randn(2, channels, 4, 4)
        torch.testing.assert_close(NORMS["gn"](channels)(x), expected(x))
    assert NORMS["gn"](256).num_groups == 32


def test_shares_name_every_layer():
    model = nn.Sequential(NORMS["sn"](4), nn.BatchNorm2d(4), NORMS["sn_in_ln"](4))
    with torch.no_grad():
        model[0].mean_weight.copy_(torch.tensor([0.0, 0.0, math.log(2)]))
    shares = norm_shares(model)
    assert set(shares) == {"0", "2"}
    assert shares["0"]["mean"] == pytest.approx({"in": 0.25, "ln": 0.25, "bn": 0.5})
    assert shares["2"]["var"] == pytest.approx({"in": 0.5, "ln": 0.5, "bn": 0.0})


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match="unknown norm 'frn'; the norms are bn, syncbn, gn, in, ln, sn, sn_in_ln"):
        find_norm("frn")


def test_needs_torch_alone():
    """With every other dependency hidden, the norms import and train."""
    code = """
import sys
for name in ("timm", "torchvision", "numpy", "safetensors", "cv2", "PIL", "yaml", "tyro", "rich"):
    sys.modules[name] = None
import torch
from switchseg.norms import SwitchNorm2d
SwitchNorm2d(4)(torch.randn(2, 4, 5, 5)).sum().backward()
foreign = [name for name in sys.modules if name.startswith("switchseg.") and not name.startswith("switchseg.norms")]
assert not foreign, foreign
assert "switchseg.norms.operator.kernels" not in sys.modules
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
