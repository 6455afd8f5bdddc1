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


def _pair(convolution=None, norm=None):
    norm = norm or nn.BatchNorm2d(3)
    nn.init.normal_(norm.running_mean)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    nn.init.uniform_(norm.weight, 0.5, 2)
    return nn.Sequential(convolution or nn.Conv2d(3, 3, 3, padding=1), norm)


class _Parts(nn.Module):
    """Two parts, of which `use` says how they are called; traced together or not."""

    def __init__(self, use, *parts, together=True):
        super().__init__()
        self.use, self.together = use, together
        self.parts = nn.ModuleList(parts)

    def forward(self, x):
        if not self.together and x.sum() > 1e9:
            return x
        return self.use(x, *self.parts)


def _shared_convolution(**options):
    convolution = nn.Conv2d(3, 3, 3, padding=1)
    return _Parts(lambda x, a, b: a(x) + b(x), _pair(convolution), _pair(convolution), **options)


def _convolution_used_alone_too(**options):
    pair = _pair()
    return _Parts(lambda x, a, b: a(x) + b(x), pair, pair[0], **options)


def _shared_norm(**options):
    norm = nn.BatchNorm2d(3)
    return _Parts(lambda x, a, b: b(a(x)), _pair(norm=norm), _pair(norm=norm), **options)


def _norm_called_by_its_second_name(**options):
    pair = _pair()
    return _Parts(lambda x, a, b, c: c(b(x)), pair[1], *pair, **options)


def _convolution_called_by_its_second_name(**options):
    pair = _pair()
    return _Parts(lambda x, a, b, c: c(b(x)), pair[0], *pair, **options)


def _shared_holder_of_a_convolution(**options):
    holder = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1))
    return _Parts(lambda x, a, b: a(x) + b(x), _pair(holder), _pair(holder), **options)


def _hooked(place, register):
    def build(**options):
        pair = _pair()
        getattr(pair[place], register)(lambda module, values, *output: 2 * (output[0] if output else values[0]))
        return _Parts(lambda x, a: a(x), pair, **options)

    return build


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    "build",
    [
        _shared_convolution,
        _convolution_used_alone_too,
        _shared_norm,
        _norm_called_by_its_second_name,
        _convolution_called_by_its_second_name,
        _shared_holder_of_a_convolution,
        _hooked(0, "register_forward_hook"),
        _hooked(0, "register_forward_pre_hook"),
        _hooked(1, "register_forward_hook"),
        _hooked(1, "register_forward_pre_hook"),
    ],
)
def test_what_others_see_of_a_convolution_and_a_norm_stays_as_it_was(build, together):
    model = build(together=together).eval()
    x = torch.randn(2, 3, 8, 8)
    expected = model(x)
    torch.testing.assert_close(fold_norms(model)(x), expected, atol=1e-5, rtol=1e-4)


def test_what_still_mixes_or_trains_stays():
    mixing, training = (nn.Sequential(nn.Conv2d(3, 4, 1), norm).eval() for norm in (SwitchNorm2d(4), nn.BatchNorm2d(4)))
    with torch.no_grad():
        for weight in (mixing[1].mean_weight, mixing[1].var_weight):
            weight.copy_(torch.tensor([0.0, 0.0, 16.0]))  # 1e-7 for each of the others
    training[1].train()
    for model in (mixing, training):
        norm = model[1]
        assert fold_norms(model)[1] is norm
