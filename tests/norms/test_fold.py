"""Norms that fold into convolutions, and those that must not."""

import copy

import pytest
import timm
import torch
import torchvision
from timm.layers import ScaledStdConv2d
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from switchseg.norms import KINDS, SwitchNorm2d, convert_norms, fold_norms


def _used(model):
    with torch.no_grad():
        model.train()(torch.randn(2, 3, 64, 64))
    return model.eval()


def test_bn_only_networks_lose_their_norms():
    torch.manual_seed(0)
    model = convert_norms(_used(timm.create_model("resnet18", num_classes=4)), "sn", init="bn")
    x = torch.randn(2, 3, 64, 64)
    expected = model(x)
    folded = fold_norms(copy.deepcopy(model))
    assert not any(isinstance(module, SwitchNorm2d) for module in folded.modules())
    torch.testing.assert_close(folded(x), expected, atol=1e-4, rtol=1e-4)


class _Untraceable(nn.Module):
    """Only its parts can be traced."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))

    def forward(self, x):
        return self.body(x) if x.sum() > 0 else self.body(-x)


class _Reread(nn.Module):
    """The convolution's output is needed as it is."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, x):
        x = self.conv(x)
        return x + self.norm(x)


@pytest.mark.parametrize(
    ("model", "left"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), SwitchNorm2d(4)), 1),
        (nn.Sequential(nn.Conv2d(3, 4, 3), SwitchNorm2d(4, statistics=("bn",), activation="relu")), 0),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4)), 1),
        (_Untraceable(), 0),
        (_Reread(), 1),
    ],
    ids=["mixes", "bn-only", "relu-between", "untraceable", "reread"],
)
def test_only_what_may_be_folded(model, left):
    torch.manual_seed(0)
    model = _used(model)
    x = torch.randn(2, 3, 64, 64)
    expected = model(x)
    fold_norms(model)
    assert sum(isinstance(module, (SwitchNorm2d, nn.BatchNorm2d)) for module in model.modules()) == left
    torch.testing.assert_close(model(x), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.like_batch_norm])
def test_every_kind_that_can_be_a_batch_norm_folds(name):
    torch.manual_seed(0)
    model = convert_norms(_used(timm.create_model("resnet18", num_classes=4)), name, init="bn")
    x = torch.randn(2, 3, 64, 64)
    expected = model(x)
    norm = type(model.bn1)
    fold_norms(model)
    assert not any(isinstance(module, norm) for module in model.modules())
    torch.testing.assert_close(model(x), expected, atol=1e-4, rtol=1e-4)


def test_foreign_batch_norms_fold_and_leave_their_activation():
    layers = [timm.layers.BatchNormAct2d(4, act_layer=nn.SiLU), torchvision.ops.FrozenBatchNorm2d(4)]
    model = nn.Sequential(nn.Conv2d(3, 4, 3), layers[0], nn.Conv2d(4, 4, 1), layers[1]).eval()
    for layer in layers:
        layer.running_mean.normal_()
        layer.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 3, 8, 8)
    expected = model(x)
    fold_norms(model)
    assert [type(module) for module in model[1::2]] == [nn.Sequential, nn.Identity]
    torch.testing.assert_close(model(x), expected, atol=1e-5, rtol=1e-4)


def test_training_models_are_refused():
    with pytest.raises(ValueError, match="call model.eval"):
        fold_norms(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))


@pytest.mark.parametrize("make", [lambda: spectral_norm(nn.Conv2d(3, 4, 3)), lambda: ScaledStdConv2d(3, 4, 3)])
def test_a_convolution_that_makes_its_weight_anew_is_left_alone(make):
    torch.manual_seed(0)
    model = nn.Sequential(make(), nn.BatchNorm2d(4))
    model(torch.randn(4, 3, 8, 8))
    model.eval()
    x = torch.randn(2, 3, 8, 8)
    before = model(x)
    fold_norms(model)
    torch.testing.assert_close(model(x), before)
    assert isinstance(model[1], nn.BatchNorm2d)
