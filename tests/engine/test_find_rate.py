"""The rate finder suggests where the loss falls most steeply, and leaves no trace in the training."""

import copy
import itertools
import math

import pytest

from switchseg.engine.find_rate import Sweep, exponential, sweep_rates
from switchseg.errors import UserError
from tests.engine.runs import assert_equal
from tests.engine.steps import make_batch, make_training


def test_rates_rise_by_one_factor():
    assert exponential(1e-3, 10.0, 5) == pytest.approx([1e-3, 1e-2, 1e-1, 1, 10])


def test_the_steepest_fall_before_the_lowest_loss_is_suggested():
    rates = exponential(1e-4, 10.0, 101)
    losses = tuple(2 - 1 / (1 + (0.05 / rate) ** 2) + (rate / 2) ** 2 for rate in rates)
    assert 0.03 < Sweep(tuple(rates), losses).suggestion < 0.2
    rising = tuple(reversed(losses[:40]))
    assert Sweep(tuple(rates[:40]), tuple(sorted(rising))).suggestion is None


def test_the_first_smoothed_loss_is_the_loss():
    assert Sweep((1.0, 2.0), (3.0, 5.0)).smoothed == pytest.approx((3.0, (0.9 * 0.3 + 0.1 * 5) / 0.19))


@pytest.mark.parametrize("settings", [{}, {"optimizer": "adamw", "ema_decay": 0.9, "accumulate": 2}])
def test_a_sweep_ends_when_the_loss_explodes_and_everything_is_put_back(settings):
    training = make_training(encoder="test_resnet_dilated8", precision="fp32", **settings)
    before = copy.deepcopy(training.state_dict())
    rates = exponential(1e-4, 1e8, 25)
    sweep = sweep_rates(training, map(make_batch, itertools.count()), rates)
    assert sweep.rates == tuple(rates[: len(sweep.rates)])
    assert 3 < len(sweep.rates) < len(rates)
    assert all(map(math.isfinite, sweep.losses))
    assert_equal(training.state_dict(), before)


def test_rates_of_zero_have_no_ratio():
    training = make_training(encoder="test_resnet_dilated8", lr=0.0)
    with pytest.raises(UserError, match="are 0"):
        sweep_rates(training, iter(()), [1.0])
