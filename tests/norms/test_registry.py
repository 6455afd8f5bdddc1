"""Norms that users add are like those of the table."""

import copy

import pytest
import torch
from torch import nn

from switchseg.norms import KINDS, NORMS, calibrate, convert_norms, find_kind, fold_norms, register_norm
from tests.norms.cases import ScaleNorm


class RunningNorm(nn.Module):
    """A BatchNorm of somebody's own, with other code and no base class."""

    def __init__(self, channels, device=None, dtype=None):
        super().__init__()
        self.eps, self.momentum = 1e-5, 0.1
        for name, value in (("weight", 1.0), ("bias", 0.0)):
            setattr(self, name, nn.Parameter(torch.full((channels,), value, device=device, dtype=dtype)))
        self.register_buffer("running_mean", torch.zeros(channels, device=device, dtype=dtype))
        self.register_buffer("running_var", torch.ones(channels, device=device, dtype=dtype))
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.long, device=device))

    def forward(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3))
            self.num_batches_tracked += 1
            share = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean.detach(), share)
            self.running_var.lerp_(var.detach(), share)
        mean, var, weight, bias = (v.view(-1, 1, 1) for v in (mean, var, self.weight, self.bias))
        return (x - mean) * (var + self.eps).rsqrt() * weight + bias


@pytest.fixture
def registered():
    """Two norms of a user's, for one test."""
    NORMS["scale"] = ScaleNorm
    register_norm("running", RunningNorm, like_batch_norm=True)
    yield
    del NORMS["scale"], NORMS["running"]


def test_a_registered_norm_is_one_like_the_others(registered):
    assert list(NORMS)[-2:] == ["scale", "running"]
    assert find_kind(ScaleNorm) is KINDS["scale"]
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    assert type(convert_norms(copy.deepcopy(model), "scale")[1]) is ScaleNorm
    x = torch.randn(2, 3, 5, 5)
    model(x + 1)
    expected = model.eval()(x)
    converted = convert_norms(model, "running", init="bn")
    assert type(converted[1]) is RunningNorm
    torch.testing.assert_close(converted(x), expected)
    assert calibrate(converted, [x]) == 1
    expected = converted(x)
    assert type(fold_norms(converted)[1]) is nn.Identity
    torch.testing.assert_close(converted(x), expected)


def test_a_name_is_given_once_and_plainly(registered):
    with pytest.raises(ValueError, match="there is a norm 'scale' already; del NORMS"):
        register_norm("scale", RunningNorm)
    with pytest.raises(ValueError, match="small letters, digits and underscores, got 'My Norm'"):
        register_norm("My Norm", ScaleNorm)
    with pytest.raises(TypeError, match="norm 'frn' needs a callable"):
        register_norm("frn", "ScaleNorm")
