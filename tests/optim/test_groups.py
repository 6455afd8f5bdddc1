"""Parameter groups follow the rules of 2018."""

import pytest
import torch
from torch import nn

from switchseg.norms import MIXING, SwitchNorm2d
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
    groups = {group["name"]: group for group in parameter_groups(net, config, MIXING)}
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


def test_rates_decay_towards_the_first_block_and_all_other_rules_hold():
    net = Net()
    depths = {"encoder.0.weight": 0, "encoder.0.bias": 0} | {
        f"encoder.1.{name}": 1 for name in ("weight", "bias", "mean_weight", "var_weight")
    }
    config = OptimConfig(lr_encoder=0.1, lr_decoder=0.2, weight_decay=0.3, mixing_lr_scale=0.1, layer_decay=0.5)
    groups = parameter_groups(net, config, MIXING, depths)
    rates = {group["name"]: (round(group["lr"], 9), group["weight_decay"]) for group in groups}
    assert rates == {
        "encoder/decayed/0": (0.025, 0.3),
        "encoder/plain/0": (0.025, 0.0),
        "encoder/plain/1": (0.05, 0.0),
        "encoder/mixing/1": (0.005, 0.0),
        "decoder/decayed": (0.2, 0.3),
        "decoder/plain": (0.2, 0.0),
    }
    same = OptimConfig(layer_decay=1.0)
    assert parameter_groups(net, same, MIXING, depths) == parameter_groups(net, same, MIXING)


def test_frozen_parameters_are_left_out():
    net = Net()
    net.encoder.requires_grad_(False)
    assert {group["name"] for group in parameter_groups(net, OptimConfig(), MIXING)} == {
        "decoder/decayed",
        "decoder/plain",
    }


def test_the_named_optimizer_is_built():
    assert isinstance(build_optimizer(Net(), OptimConfig(name="sgd"), MIXING), torch.optim.SGD)
    adamw = build_optimizer(Net(), OptimConfig(name="adamw", momentum=0.8), MIXING)
    assert isinstance(adamw, torch.optim.AdamW)
    assert adamw.param_groups[0]["betas"] == (0.8, 0.999)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_an_optimizer_on_the_device_reads_rate_and_stop_there(name):
    nets = [Net() for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    config = OptimConfig(name=name, lr_encoder=0.5, lr_decoder=0.5)
    plain, device = build_optimizer(nets[0], config, MIXING), build_optimizer(nets[1], config, MIXING, on_device=True)
    device.found_inf = torch.zeros(())

    def step(rate: float) -> None:
        for net, optimizer in zip(nets, (plain, device), strict=True):
            for parameter in net.parameters():
                parameter.grad = torch.full_like(parameter, 0.25)
            if optimizer is device or not device.found_inf:
                optimizer.step()
        for theirs, ours in zip(plain.param_groups, device.param_groups, strict=True):
            theirs["lr"] = rate
            ours["lr"].fill_(rate)

    device.found_inf.fill_(1)  # the first step is skipped, and leaves nothing behind
    step(0.5)
    device.found_inf.fill_(0)
    for rate in (0.5, 0.125, 0.25):
        step(rate)
    for ours, theirs in zip(nets[1].parameters(), nets[0].parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
