import pytest
import torch
from torch import nn

from switchseg.norms import MIXING, SwitchNorm2d, parameter_groups
from switchseg.optim.config import OptimConfig
from switchseg.optim.groups import parameter_groups as training_groups
from tests.integrations.hosts import run_snippets


@pytest.fixture
def model():
    return nn.Sequential(nn.Conv2d(3, 4, 3), SwitchNorm2d(4), nn.Conv2d(4, 2, 1, bias=False))


def test_every_trainable_parameter_is_in_the_group_of_its_kind(model):
    model[2].weight.requires_grad_(False)
    groups = {group["name"]: group for group in parameter_groups(model, 0.1, 0.01, mixing_lr_scale=0.5)}
    members = {name: {id(parameter) for parameter in group["params"]} for name, group in groups.items()}
    conv, norm, _ = model
    assert members["decayed"] == {id(conv.weight)}
    assert members["plain"] == {id(conv.bias), id(norm.weight), id(norm.bias)}
    assert members["mixing"] == {id(norm.mean_weight), id(norm.var_weight)}
    assert {name: (group["lr"], group["weight_decay"]) for name, group in groups.items()} == {
        "decayed": (0.1, 0.01),
        "plain": (0.1, 0.0),
        "mixing": (0.05, 0.0),
    }


def test_they_are_the_groups_of_our_own_training(model):
    found = {group["name"]: group for group in parameter_groups(model, 0.1, 0.01, mixing_lr_scale=0.5)}
    config = OptimConfig(lr_decoder=0.1, weight_decay=0.01, mixing_lr_scale=0.5)
    expected = {group.pop("name").removeprefix("decoder/"): group for group in training_groups(model, config, MIXING)}
    assert found.keys() == expected.keys()
    assert all({**expected[name], "name": name} == group for name, group in found.items())


def test_decay_moves_no_mixing_weight(model):
    optimizer = torch.optim.SGD(parameter_groups(model, 0.1, 0.5))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    before = model[1].mean_weight.detach().clone(), model[0].weight.detach().clone()
    optimizer.step()
    assert model[1].mean_weight.equal(before[0])
    assert model[0].weight.norm() < before[1].norm()


def test_the_lines_of_the_page():
    names = run_snippets("Parameter groups")
    assert {group["weight_decay"] for group in names["optimizer"].param_groups} == {0.0, 1e-4}
