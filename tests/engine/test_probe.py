"""Which norm data want, on scenes where that is known."""

import pytest

from switchseg.engine.probe import choose, mean_shares

EQUAL = {"running": 0.6, "batch": 0.6}
COSTS = {"bn": 1.0, "gn": 1.0, "in": 1.0, "sn": 1.0}


@pytest.mark.parametrize(
    ("shares", "accuracy", "costs", "norm", "says"),
    [
        ((0.7, 0.2, 0.1), EQUAL, COSTS, "in", "IN has 70%"),
        ((0.1, 0.8, 0.1), EQUAL, COSTS, "gn", "LN has 80%"),
        ((0.1, 0.2, 0.7), EQUAL, COSTS, "bn", "BN has 70%"),
        ((0.1, 0.2, 0.7), {"running": 0.4, "batch": 0.6}, COSTS, "sn", "running statistics lose 20.0%"),
        ((0.1, 0.2, 0.7), EQUAL, COSTS | {"bn": None}, "sn", "cannot be trained with so few images"),
        ((0.4, 0.3, 0.3), EQUAL, COSTS, "sn", "no statistic has a majority: IN 40%, LN 30%, BN 30%"),
    ],
)
def test_the_answer_follows_from_what_was_found(shares, accuracy, costs, norm: str, says: str) -> None:
    answer, reason = choose(dict(zip(("in", "ln", "bn"), shares, strict=True)), accuracy, costs)
    assert answer == norm
    assert says in reason


def test_shares_are_averaged_over_means_variances_and_layers() -> None:
    layers = {
        "a": {"mean": {"in": 1.0, "ln": 0.0, "bn": 0.0}, "var": {"in": 0.0, "ln": 0.0, "bn": 1.0}},
        "b": {"mean": {"in": 0.0, "ln": 1.0, "bn": 0.0}, "var": {"in": 0.0, "ln": 0.0, "bn": 1.0}},
    }
    assert mean_shares(layers) == {"in": 0.25, "ln": 0.25, "bn": 0.5}
