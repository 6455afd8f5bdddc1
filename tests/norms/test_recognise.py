"""Which norm a module is, by what it computes."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from switchseg.norms import NORMS, SwitchNorm1d
from switchseg.norms.recognise import is_named_norm, recognise

NORMS_OF_LIBRARIES = {
    "BatchNorm1d": (lambda: nn.BatchNorm1d(5), {2, 3}, True, True),
    "without statistics": (lambda: nn.BatchNorm2d(5, track_running_stats=False), {4}, True, False),
    "not affine": (lambda: nn.BatchNorm3d(5, affine=False), {5}, True, True),
    "SyncBatchNorm": (lambda: nn.SyncBatchNorm(5), {2, 3, 4, 5}, True, True),
    "InstanceNorm1d": (lambda: nn.InstanceNorm1d(5, affine=True), {3}, False, False),
    "InstanceNorm2d": (lambda: nn.InstanceNorm2d(5), {4}, False, False),
    "InstanceNorm that tracks": (lambda: nn.InstanceNorm2d(5, track_running_stats=True), {4}, True, True),
    "GroupNorm": (lambda: nn.GroupNorm(5, 5), {2, 3, 4, 5}, False, False),
    "timm's GroupNorm1": (lambda: timm.layers.GroupNorm1(5), {2, 3, 4, 5}, False, False),
    "timm's LayerNorm2d": (lambda: timm.layers.LayerNorm2d(5), {4}, False, False),
    "torchvision's LayerNorm2d": (lambda: torchvision.models.convnext.LayerNorm2d(5), {4}, False, False),
    "FrozenBatchNorm2d": (lambda: torchvision.ops.FrozenBatchNorm2d(5), {4}, True, True),
    "SwitchNorm1d": (lambda: SwitchNorm1d(5), {2, 3}, False, True),
    "sn_in_ln": (lambda: NORMS["sn_in_ln"](5), {4}, False, False),
}


@pytest.mark.parametrize("name", NORMS_OF_LIBRARIES)
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_norms_of_libraries(name, device):
    make, dims, like_batch_norm, tracks = NORMS_OF_LIBRARIES[name]
    with torch.device(device):
        module = make().train()
        norm = recognise(module)
    assert (norm.features, norm.dims, norm.like_batch_norm, norm.tracks) == (5, dims, like_batch_norm, tracks)
    assert module.training
    assert not norm.followers


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_few_channels_are_no_other_norm(channels):
    assert recognise(nn.BatchNorm2d(channels)).tracks
    assert recognise(nn.GroupNorm(1, channels)).dims >= {3, 4, 5}
    assert recognise(nn.LayerNorm(channels)) == "it normalizes the last dimensions"


def test_what_follows_inside_a_norm_is_told_apart():
    layer = timm.layers.BatchNormAct2d(5, act_layer=nn.PReLU, drop_layer=nn.Dropout)
    assert recognise(layer).followers == {"drop": layer.drop, "act": layer.act}
    assert recognise(timm.layers.SplitBatchNorm2d(5)).followers == {}


class _Halved(nn.GroupNorm):
    def forward(self, x):
        return super().forward(x) / 2


class _Failing(nn.BatchNorm2d):
    def forward(self, x):
        raise RuntimeError("only on a device of its own")


@pytest.mark.parametrize("module", [_Halved(1, 5), _Failing(5), nn.RMSNorm(5), timm.layers.RmsNorm2d(5)])
def test_what_computes_something_else_is_no_norm_of_ours(module):
    assert recognise(module).startswith("it computes something else")


def test_nothing_of_a_module_is_changed():
    module = nn.Sequential(nn.BatchNorm2d(5)).train()[0]
    state = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    recognise(module)
    assert module.training
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())
    assert isinstance(module.weight, nn.Parameter)


def test_blocks_that_hold_a_norm_are_none():
    assert is_named_norm(nn.BatchNorm2d(4))
    assert is_named_norm(nn.InstanceNorm2d(4))
    assert not is_named_norm(timm.layers.ConvNormAct(3, 4))
    assert not is_named_norm(nn.Conv2d(3, 4, 1))
