import copy

import pytest
import torch
import torchvision
from torch import nn

from switchseg.norms import GroupNorm, SparseSwitchNorm2d, SwitchNorm2d, SyncSwitchNorm2d, convert_norms, norm_shares


def test_activation_inside_a_norm_is_kept():
    from timm.layers import BatchNormAct2d

    for activation, kind in [(nn.ReLU, SwitchNorm2d), (nn.SiLU, nn.Sequential)]:
        old = BatchNormAct2d(4, act_layer=activation).eval()
        old.running_mean.normal_()
        x = torch.randn(2, 4, 5, 5)
        expected = old(x)
        new = convert_norms(copy.deepcopy(old), "sn", init="bn")
        assert isinstance(new, kind)
        torch.testing.assert_close(new(x), expected)


def test_mixtures_go_on_in_the_synchronised_layer():
    model = nn.Sequential(SwitchNorm2d(4, activation="relu"))
    with torch.no_grad():
        model[0].mean_weight.normal_()
        model(torch.randn(2, 4, 5, 5))
    state = model.state_dict()
    weights = model[0].mean_weight
    convert_norms(model, "syncsn")
    assert type(model[0]) is SyncSwitchNorm2d
    assert model[0].mean_weight is weights
    assert model[0].activation == "relu"
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert type(convert_norms(model, "ssn")[0]) is SparseSwitchNorm2d
    assert [type(layer) for layer in convert_norms(model, "gn")[0]] == [GroupNorm, nn.ReLU]


@pytest.mark.parametrize("to", ["sn", "ssn", "syncssn"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_share_of_bn_to_start_with(to, share):
    shares = norm_shares(convert_norms(nn.Sequential(nn.BatchNorm2d(4)), to, init=share))["0"]
    assert shares["mean"]["bn"] == pytest.approx(share)
    assert shares["var"]["in"] == pytest.approx((1 - share) / 2)


def test_half_and_double_and_frozen_parameters_stay():
    model = nn.Sequential(nn.BatchNorm2d(4).to(torch.float64), nn.BatchNorm2d(4, affine=False).to(torch.bfloat16))
    model[0].weight.requires_grad_(False)
    convert_norms(model.eval(), "sn")
    assert model[0].mean_weight.dtype == torch.float64
    assert not model[0].weight.requires_grad
    assert model[1].running_mean.dtype == torch.bfloat16
    assert not any(module.training for module in model.modules())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scales_of_channels_do_not_show_through_the_mixture(dtype):
    """A channel whose variance is 1e-8 of the others' would see 4e-9 of an LN share."""
    torch.manual_seed(0)
    scales = torch.logspace(-4, 4, 16, dtype=dtype)
    layer = nn.BatchNorm2d(16, momentum=None, eps=1e-12, dtype=dtype)
    x = torch.randn(4, 16, 8, 8, dtype=dtype) * scales[:, None, None]
    layer(x)
    expected = layer.eval()(x)
    for to in ("sn", "ssn"):
        converted = convert_norms(copy.deepcopy(layer), to, init="bn")
        assert norm_shares(converted)[""]["var"] == {"in": 0, "ln": 0, "bn": 1}
        torch.testing.assert_close(converted(x), expected, atol=1e-4, rtol=1e-4)


def test_statistics_of_a_batch_norm_go_on_at_its_own_pace():
    layer = nn.BatchNorm2d(4, momentum=0.2)
    converted = convert_norms(nn.Sequential(layer), "sn", init=0.9)[0]
    assert converted.momentum == 0.2
    x = torch.randn(3, 4, 5, 5) * 3 + 2
    for norm in (layer.train(), converted.train()):
        norm(x)
    torch.testing.assert_close(converted.running_mean, layer.running_mean)
    # What begins anew goes at that of 2018, evenly at first; a BatchNorm without a pace stands for one of torch's.
    assert convert_norms(nn.Sequential(layer), "sn", init="uniform")[0].momentum == 0.003
    for without in (nn.BatchNorm2d(4, momentum=None), torchvision.ops.FrozenBatchNorm2d(4)):
        assert convert_norms(nn.Sequential(without), "sn", init="bn")[0].momentum == 0.1
