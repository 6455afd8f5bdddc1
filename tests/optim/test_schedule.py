"""The rate is in place before the step that it is meant for."""

import pytest
import torch

from switchseg.optim.config import OptimConfig
from switchseg.optim.schedule import build_scheduler, rate_factor


def test_poly_is_the_formula_of_2018():
    config = OptimConfig()
    assert rate_factor(config, 0, 100) == 1
    assert rate_factor(config, 95_000, 100_000) * 0.02 == pytest.approx(0.02 * 0.05**0.9)


@pytest.mark.parametrize("schedule", ["poly", "cosine", "step", "constant"])
def test_factors_stay_between_zero_and_one_and_never_rise_after_warm_up(schedule):
    config = OptimConfig(schedule=schedule, warmup_steps=5)
    factors = [rate_factor(config, step, 50) for step in range(50)]
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[:5] == sorted(factors[:5])
    assert factors[5:] == sorted(factors[5:], reverse=True)


def test_step_schedule_divides_by_ten_at_its_milestones():
    config = OptimConfig(schedule="step", step_milestones=(0.5, 0.75))
    assert [rate_factor(config, step, 8) for step in (3, 4, 6)] == pytest.approx([1, 0.1, 0.01])


def test_the_scheduler_sets_the_rate_before_its_step():
    # The 2018 code trained step t at the rate of t - 1.
    config = OptimConfig(lr_encoder=0.5)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = build_scheduler(optimizer, config, steps=10)
    for step in range(10):
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.5 * (1 - step / 10) ** 0.9)
        optimizer.step()
        scheduler.step()
