"""Running statistics: an even average at first, then the momentum."""

import pytest
import torch

from switchseg.norms.operator.call import Inputs, Options
from switchseg.norms.operator.tracking import move


def moved(batches, momentum, dtype=torch.float64):
    """Move statistics of two channels through batches of moments (2, 2); return them and their count."""
    mean, var, count = torch.zeros(2, dtype=dtype), torch.ones(2, dtype=dtype), torch.zeros((), dtype=torch.int64)
    inputs = Inputs(torch.empty(1, 2, 1), None, torch.zeros(3), torch.zeros(3), None, None, mean, var, count)
    options = Options(("in", "ln", "bn"), 1e-5, momentum, relu=False, training=True)
    for batch in batches:
        move(inputs, options, batch)
    return mean, var, int(count)


@pytest.fixture
def batches():
    return list(torch.rand(5, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(3)))


@pytest.mark.parametrize("momentum", [None, 0.003])
def test_the_first_batches_are_averaged_evenly(batches, momentum):
    mean, var, count = moved(batches, momentum)
    torch.testing.assert_close(torch.stack([mean, var]), torch.stack(batches).mean(0))
    assert count == 5


def test_later_ones_have_at_least_the_momentum(batches):
    mean, _, _ = moved(batches[:3], 0.5)
    first, second, third = (batch[0] for batch in batches[:3])
    torch.testing.assert_close(mean, 0.25 * first + 0.25 * second + 0.5 * third)


def test_without_a_count_nothing_moves():
    mean = torch.zeros(2)
    inputs = Inputs(torch.empty(1, 2, 1), None, torch.zeros(3), None, None, None, mean, torch.ones(2), None)
    move(inputs, Options(("bn",), 1e-5, 0.1, relu=False, training=True), torch.ones(2, 2))
    assert (mean == 0).all()
