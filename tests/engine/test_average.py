"""The moving average against its formula, and that its first update copies."""

import pytest
import torch
from torch import nn

from switchseg.engine.average import MovingAverage
from switchseg.norms import SparseSwitchNorm2d, norm_shares, set_sparse_radius


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


@torch.no_grad()
def change(model: nn.Module, by: float) -> None:
    for value in (*model.parameters(), *model.buffers()):
        value.add_(by)


def test_the_first_update_copies_and_later_ones_decay() -> None:
    model = network()
    average = MovingAverage(model, 0.75)
    change(model, 1)
    average.update(model)
    first = {name: value.clone() for name, value in model.state_dict().items()}
    assert all(torch.equal(average.module.state_dict()[name], value) for name, value in first.items())
    change(model, 2)
    average.update(model)
    for name, value in average.module.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.75 * first[name] + 0.25 * model.state_dict()[name])
        else:
            assert torch.equal(value, model.state_dict()[name]), f"{name} counts, and there is no half of a batch"


def test_a_restored_average_goes_on_where_it_was() -> None:
    model = network()
    average, restored = MovingAverage(model, 0.9), MovingAverage(model, 0.9)
    average.update(model)
    restored.load_state_dict(average.state_dict())
    change(model, 1)
    for each in (average, restored):
        each.update(model)
    pairs = zip(average.state_dict().items(), restored.state_dict().items(), strict=True)
    assert all(name == other and torch.equal(one, two) for (name, one), (other, two) in pairs)
    assert restored.n_averaged == 2


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_the_ends_of_the_range_follow_or_stay(decay: float) -> None:
    model = network()
    average = MovingAverage(model, decay)
    average.update(model)
    before = model[0].weight.clone()
    change(model, 1)
    average.update(model)
    torch.testing.assert_close(average.module[0].weight, before if decay else model[0].weight)


@torch.no_grad()
def test_a_sparse_layer_of_the_average_is_frozen_as_that_of_the_model() -> None:
    layer = SparseSwitchNorm2d(4)
    average = MovingAverage(layer, 0.99)
    layer.mean_weight.copy_(torch.tensor([0.2, 0.0, 0.1]))  # for long the mean is led by "in"
    average.update(layer)
    layer.mean_weight.copy_(torch.tensor([0.0, 0.9, 0.1]))
    layer.var_weight.copy_(torch.tensor([0.1, 0.2, 0.9]))
    set_sparse_radius(layer, 1.0)
    average.update(layer)
    loaded = SparseSwitchNorm2d(4)
    loaded.load_state_dict(average.module.state_dict())
    for each in (average.module, loaded):
        assert each.mixture()[0] == ("ln", "bn")
        assert norm_shares(each) == norm_shares(layer)
        assert (each.mean_fixed, each.var_fixed, each.radius) == (1, 1, 1)


@torch.no_grad()
def test_a_moment_that_is_fixed_alone_is_fixed_in_the_average() -> None:
    layer = SparseSwitchNorm2d(4)
    average = MovingAverage(layer, 0.99)
    average.update(layer)
    layer.mean_weight.copy_(torch.tensor([0.0, 3.0, 0.0]))
    set_sparse_radius(layer, 0.1)
    average.update(layer)
    assert average.module.fixed == layer.fixed == (True, False)
    assert norm_shares(average.module)[""]["mean"] == {"in": 0.0, "ln": 1.0, "bn": 0.0}
