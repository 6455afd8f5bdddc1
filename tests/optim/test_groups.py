"""Parameter groups follow the rules of 2018."""

import torch
from torch import nn

from switchseg.norms import SwitchNorm2d
from switchseg.optim.config import OptimConfig
from switchseg.optim.groups import build_optimizer, parameter_groups


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3), SwitchNorm2d(4))
        self.decoder = nn.Sequential(nn.Conv2d(4, 4, 1), nn.GroupNorm(2, 4), nn.Linear(4, 2))


def test_every_parameter_is_in_exactly_one_group_with_its_rate_and_decay():
    net = Net()
    config = OptimConfig(lr_encoder=0.1, lr_decoder=0.2, weight_decay=0.3, mixing_lr_scale=0.1)
    groups = {group["name"]: group for group in parameter_groups(net, config)}
    names = {id(parameter): name for name, parameter in net.named_parameters()}
    members = {key: {names[id(p)] for p in group["params"]} for key, group in groups.items()}
    assert members == {
        "encoder/decayed": {"encoder.0.weight"},
        "encoder/plain": {"encoder.0.bias", "encoder.1.weight", "encoder.1.bias"},
        "encoder/mixing": {"encoder.1.mean_weight", "encoder.1.var_weight"},
        "decoder/decayed": {"decoder.0.weight", "decoder.2.weight"},
        "decoder/plain": {"decoder.0.bias", "decoder.1.weight", "decoder.1.bias", "decoder.2.bias"},
    }
    rates = {key: (round(group["lr"], 9), group["weight_decay"]) for key, group in groups.items()}
    assert rates == {
        "encoder/decayed": (0.1, 0.3),
        "encoder/plain": (0.1, 0.0),
        "encoder/mixing": (0.01, 0.0),
        "decoder/decayed": (0.2, 0.3),
        "decoder/plain": (0.2, 0.0),
    }


def test_frozen_parameters_are_left_out():
    net = Net()
    net.encoder.requires_grad_(False)
    assert {group["name"] for group in parameter_groups(net, OptimConfig())} == {"decoder/decayed", "decoder/plain"}


def test_the_named_optimizer_is_built():
    assert isinstance(build_optimizer(Net(), OptimConfig(name="sgd")), torch.optim.SGD)
    adamw = build_optimizer(Net(), OptimConfig(name="adamw", momentum=0.8))
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.param_groups[0]["betas"] == (0.8, 0.999)
