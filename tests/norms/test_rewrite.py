"""Norms that take over the ReLU and the shortcut."""

import copy

import pytest
import timm
import torch
from torch import nn

from switchseg.norms import NORMS, SwitchNorm2d, fuse_activations
from switchseg.norms.rewrite import FusedBlock


@pytest.mark.parametrize(("name", "relus"), [("resnet18", 17), ("resnet50", 49), ("resnet50s", 51)])
def test_rewritten_resnets_compute_the_same(name, relus):
    torch.manual_seed(0)
    model = timm.create_model(name, norm_layer=NORMS["sn"], num_classes=4, zero_init_last=False).double()
    fused = copy.deepcopy(model)
    assert fuse_activations(fused) == relus
    assert set(fused.state_dict()) == set(model.state_dict())
    assert not any(isinstance(module, nn.ReLU) for module in fused.modules())
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    losses = [network(x).square().mean() for network in (model, fused)]
    for loss in losses:
        loss.backward()
    torch.testing.assert_close(losses[1], losses[0])
    gradients = dict(model.named_parameters())
    for key, parameter in fused.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[key].grad, atol=1e-9, rtol=1e-6)


def test_sequences():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), SwitchNorm2d(4), nn.ReLU(inplace=True), nn.BatchNorm2d(4), nn.ReLU())
    x = torch.randn(2, 3, 5, 5)
    expected = model(x)
    assert fuse_activations(model) == 1
    torch.testing.assert_close(model(x), expected)
    assert fuse_activations(model) == 0


def test_blocks_with_attention_keep_their_addition():
    model = timm.create_model("seresnet50", norm_layer=NORMS["sn"], num_classes=4)
    fuse_activations(model)
    assert not any(isinstance(module, FusedBlock) for module in model.modules())


def test_a_module_in_two_places_stands_between_its_neighbours():
    """Without the second dropout the norm and the ReLU would seem to follow each other."""
    torch.manual_seed(0)
    negate = Negate()
    model = nn.Sequential(negate, SwitchNorm2d(3), negate, nn.ReLU())
    x = torch.randn(2, 3, 4, 4)
    before = model(x)
    assert fuse_activations(model) == 0
    torch.testing.assert_close(model(x), before)


class Negate(nn.Module):
    def forward(self, x):
        return -x


class Backwards(nn.Sequential):
    def forward(self, x):
        for part in reversed(self):
            x = part(x)
        return x


@pytest.mark.parametrize(
    "make", [lambda norm: nn.Sequential(norm, nn.ReLU(), norm), lambda norm: Backwards(norm, nn.ReLU())]
)
def test_norms_that_something_else_may_follow_rectify_nothing(make):
    model, x = make(SwitchNorm2d(3)), torch.randn(2, 3, 4, 4)
    before = model(x)
    assert fuse_activations(model) == 0
    torch.testing.assert_close(model(x), before)
