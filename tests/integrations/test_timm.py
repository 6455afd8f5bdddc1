import pytest
import timm
import torch
from timm.layers import DropBlock2d, get_norm_act_layer
from timm.utils import ModelEmaV3
from torch import nn

from switchseg.integrations.timm import SwitchNormAct2d
from switchseg.norms import SparseSwitchNorm2d, SwitchNorm2d, convert_norms, set_sparse_radius
from tests.integrations.hosts import run_snippets, train_step


def test_the_line_of_the_page_trains_a_step():
    model = run_snippets("timm")["model"]
    layers = [module for module in model.modules() if isinstance(module, SwitchNorm2d)]
    assert len(layers) == 49
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    moved = train_step(model, torch.randn(2, 3, 32, 32), torch.optim.SGD(model.parameters(), 0.1))
    assert {"bn1.mean_weight", "bn1.weight", "blocks.0.0.bn1.var_weight"} <= moved


@pytest.mark.parametrize("name", ["regnety_002", "cspresnet50", "resnetv2_50", "resnet18"])
def test_families_take_the_class(name):
    model = timm.create_model(name, norm_layer=SwitchNorm2d)
    norms = [module for module in model.modules() if isinstance(module, SwitchNorm2d)]
    assert len(norms) > 10
    assert not any(isinstance(module, (nn.BatchNorm2d, nn.GroupNorm)) for module in model.modules())


def test_it_has_the_activation_of_the_model():
    model = timm.create_model("efficientnet_b0", norm_layer=SwitchNorm2d)
    assert isinstance(model.bn1.act, nn.SiLU)
    layer = get_norm_act_layer("switchnorm2d", act_layer=nn.GELU)(4)
    x = torch.randn(2, 4, 5, 5)
    plain = SwitchNorm2d(4)
    torch.testing.assert_close(layer(x), nn.functional.gelu(plain(x)))


@torch.no_grad()
def test_an_average_of_sparse_layers_is_used_as_it_is_saved():
    model = nn.Sequential(SparseSwitchNorm2d(4))
    model[0].mean_weight.copy_(torch.tensor([0.5, 0.4, 0.1]))
    average = ModelEmaV3(model, decay=0.9)
    model[0].mean_weight.copy_(torch.tensor([0.0, 1.0, 0.0]))
    set_sparse_radius(model, 1.0)
    average.update(model)
    saved = nn.Sequential(SparseSwitchNorm2d(4)).eval()
    saved.load_state_dict(average.module.state_dict())
    x = torch.randn(2, 4, 5, 5)
    assert torch.equal(average.module.eval()(x), saved(x))
    assert average.module[0].fixed == saved[0].fixed == (True, False)  # of the variance, three are equal


def test_a_relu_is_the_layers_own_unless_dropout_comes_between():
    x = torch.randn(2, 4, 5, 5)
    layer = SwitchNormAct2d(4)
    assert layer.activation == "relu"
    torch.testing.assert_close(layer(x), SwitchNorm2d(4)(x).relu())
    dropping = SwitchNormAct2d(4, drop_layer=lambda: DropBlock2d(1.0))
    assert dropping.activation is None
    assert dropping(x).min() >= 0
    assert SwitchNormAct2d(4, apply_act=False)(x).min() < 0


def test_the_activation_follows_a_conversion():
    layer = SwitchNormAct2d(4, act_layer=nn.SiLU).eval()
    x = torch.randn(2, 4, 5, 5)
    expected = layer(x)
    torch.testing.assert_close(convert_norms(layer, "syncsn")(x), expected)
