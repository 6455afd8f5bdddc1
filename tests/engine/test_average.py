"""The moving average against its formula, and that its first update copies."""

import pytest
import torch
from torch import nn

from switchseg.engine.average import MovingAverage


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
