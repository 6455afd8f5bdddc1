"""Running statistics from a plain average over batches."""

import copy

import pytest
import torch
import torchvision
from torch import nn

from switchseg.norms import KINDS, SwitchNorm2d, calibrate


def test_statistics_are_those_of_all_batches_together():
    """2018 summed them up and never divided."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Dropout(0.5), SwitchNorm2d(3), nn.BatchNorm2d(3)).double()
    batches = [torch.randn(2, 3, 4, 4, dtype=torch.float64) * scale + scale for scale in (1, 2, 5)]
    assert calibrate(model, iter(batches)) == 3
    images = torch.cat(batches)
    torch.testing.assert_close(model[1].running_mean, images.mean((0, 2, 3)))
    # The within-map part is unbiased, as in the layer.
    second = torch.stack([batch.flatten(2).var(2).mean(0) for batch in batches]).mean(0)
    second = second + images.mean((2, 3)).var(0, correction=0)
    torch.testing.assert_close(model[1].running_var, second)
    assert model[1].num_batches_tracked == 3
    assert model.training
    assert model[1].momentum == 0.003


def test_evaluation_equals_training_on_the_calibration_batch():
    layer = SwitchNorm2d(3, dtype=torch.float64)
    layer(100 + torch.randn(2, 3, 4, 4, dtype=torch.float64))
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    calibrate(layer, [{"image": x}], forward=lambda batch: layer(batch["image"]))
    expected = layer(x)
    torch.testing.assert_close(layer.eval()(x), expected)


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.like_batch_norm])
def test_every_kind_with_running_statistics_is_calibrated(name):
    layer = KINDS[name].factory(3, dtype=torch.float64)
    batches = [torch.randn(2, 3, 4, 4, dtype=torch.float64) + shift for shift in (1, 2, 6)]
    calibrate(layer, batches)
    torch.testing.assert_close(layer.running_mean, torch.cat(batches).mean((0, 2, 3)))
    assert layer.num_batches_tracked == 3


class _WithDropout(nn.BatchNorm2d):
    """A norm that holds other layers, as timm's `BatchNormAct2d` does."""

    def __init__(self, num_features):
        super().__init__(num_features)
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        return self.drop(super().forward(x))


def test_dropout_inside_of_a_norm_stays_off():
    model = nn.Sequential(_WithDropout(3), nn.BatchNorm2d(3)).double()
    calibrate(model, [torch.randn(4, 3, 8, 8, dtype=torch.float64) + 2])
    # Normalized, and with nothing dropped and nothing scaled up for it.
    torch.testing.assert_close(model[1].running_var, torch.ones(3, dtype=torch.float64), rtol=1e-2, atol=0)
    assert all(module.training for module in model.modules())


def test_instance_norm_with_running_statistics_stays_in_evaluation_mode():
    model = nn.Sequential(nn.InstanceNorm2d(3, track_running_stats=True), nn.BatchNorm2d(3))
    batch = 5 + torch.randn(4, 3, 8, 8)
    calibrate(model, [batch])
    assert torch.equal(model[0].running_mean, torch.zeros(3))
    # What evaluation shows it: the images as they are, for the running statistics say (0, 1).
    torch.testing.assert_close(model[1].running_mean, batch.mean((0, 2, 3)), rtol=1e-4, atol=0)


def test_frozen_statistics_stay():
    layer = torchvision.ops.FrozenBatchNorm2d(3)
    assert calibrate(layer, [torch.randn(2, 3, 4, 4)]) == 1
    assert torch.equal(layer.running_mean, torch.zeros(3))


def test_failures_leave_everything_as_it_was():
    model = nn.Sequential(SwitchNorm2d(3), nn.Dropout()).train()
    model[1].eval()
    model(torch.randn(2, 3, 4, 4))
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(ValueError, match="at least one batch"):
        calibrate(model, [])
    with pytest.raises(ValueError, match="channels"):
        calibrate(model, [torch.randn(2, 4, 4, 4)])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert (model[0].training, model[1].training) == (True, False)
