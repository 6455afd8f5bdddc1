"""Exchanging the norms of models from timm, torchvision and smp."""

import copy

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
import torchvision
from torch import nn

from switchseg.norms import (
    GroupNorm,
    SparseSwitchNorm2d,
    SwitchNorm1d,
    SwitchNorm2d,
    SwitchNorm3d,
    SyncSwitchNorm2d,
    convert_norms,
    norm_shares,
)

MODELS = {
    "resnet50": lambda: timm.create_model("resnet50", num_classes=10),
    "mobilenetv3": lambda: timm.create_model("mobilenetv3_large_100", num_classes=10),
    "efficientnet": lambda: timm.create_model("efficientnet_b0", num_classes=10),
    "convnext": lambda: timm.create_model("convnext_tiny", num_classes=10),
    "deeplabv3": lambda: torchvision.models.segmentation.deeplabv3_resnet50(
        weights=None, weights_backbone=None, num_classes=5
    ),
    "unet": lambda: smp.Unet("resnet18", encoder_weights=None),
}
# The norms that no BatchNorm had been, and that therefore cannot start like one.
WITHOUT_BATCH_NORM = {"convnext"}


def _output(model, x):
    result = model(x)
    return result["out"] if isinstance(result, dict) else result


@pytest.mark.parametrize("name", MODELS)
def test_converted_models_train(name):
    torch.manual_seed(0)
    model = MODELS[name]()
    before = dict(model.named_parameters())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model = convert_norms(model, "sn").train()
    after = set(model.parameters())
    assert all(parameter in after for parameter in before.values())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert norm_shares(model)
    values = {key: parameter.detach().clone() for key, parameter in before.items()}
    output = _output(model, torch.randn(2, 3, 64, 64))
    output.square().mean().backward()
    optimizer.step()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters() if parameter.grad is not None)
    assert any(not torch.equal(parameter, values[key]) for key, parameter in before.items())


@pytest.mark.parametrize("name", [name for name in MODELS if name not in WITHOUT_BATCH_NORM])
def test_starting_as_batch_norm_keeps_the_evaluation_output(name):
    torch.manual_seed(0)
    model = MODELS[name]()
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        model.train()
        _output(model, x + torch.randn_like(x))  # running statistics that are not those of x
        model.eval()
        expected = _output(model, x)
        found = _output(convert_norms(model, "sn", init="bn"), x)
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


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


def test_every_kind_of_norm_has_a_place():
    model = nn.Sequential(
        nn.BatchNorm1d(4),
        nn.BatchNorm3d(4),
        nn.InstanceNorm2d(4),
        nn.GroupNorm(2, 4, eps=0.1),
        nn.LayerNorm(4),
        nn.SyncBatchNorm(4),
        torchvision.models.convnext.LayerNorm2d(4),
    )
    converted = convert_norms(model, "sn")
    kinds = [SwitchNorm1d, SwitchNorm3d, SwitchNorm2d, SwitchNorm2d, nn.LayerNorm, SwitchNorm2d, SwitchNorm2d]
    assert [type(module) for module in converted] == kinds
    assert converted[3].eps == 0.1
    assert not converted[2].affine


def test_shared_modules_stay_shared():
    norm = nn.BatchNorm2d(4)
    model = nn.ModuleDict({"a": norm, "b": nn.Sequential(nn.Conv2d(4, 4, 1), norm)})
    convert_norms(model, "sn")
    assert model["a"] is model["b"][1]
    assert isinstance(model["a"], SwitchNorm2d)


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


def test_share_of_bn_to_start_with():
    shares = norm_shares(convert_norms(nn.Sequential(nn.BatchNorm2d(4)), "sn", init=0.9))["0"]
    assert shares["mean"]["bn"] == pytest.approx(0.9)
    assert shares["var"]["in"] == pytest.approx(0.05)


def test_half_and_double_and_frozen_parameters_stay():
    model = nn.Sequential(nn.BatchNorm2d(4).to(torch.float64), nn.BatchNorm2d(4, affine=False).to(torch.bfloat16))
    model[0].weight.requires_grad_(False)
    convert_norms(model.eval(), "sn")
    assert model[0].mean_weight.dtype == torch.float64
    assert not model[0].weight.requires_grad
    assert model[1].running_mean.dtype == torch.bfloat16
    assert not any(module.training for module in model.modules())


class _Odd(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x).tanh()


def test_mistakes_are_named():
    model = nn.Sequential(nn.BatchNorm2d(4))
    with pytest.raises(ValueError, match="unknown norm 'batch'; the norms are bn, syncbn"):
        convert_norms(model, "batch")
    with pytest.raises(ValueError, match="init must be 'uniform', 'bn' or a share"):
        convert_norms(model, "sn", init="best")
    with pytest.raises(ValueError, match="0: init='bn' needs running statistics"):
        convert_norms(model, "sn_in_ln", init="bn")
    with pytest.warns(UserWarning, match=r"no norm was exchanged for sn: 0 \(_Odd: it computes something else\)"):
        convert_norms(nn.Sequential(_Odd(4)), "sn")
    assert type(model[0]) is nn.BatchNorm2d
