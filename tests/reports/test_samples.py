import math

import pytest

from switchseg.reports.samples import Sample, difference_text, score_text, spread_text

THREE = Sample({304: 0.42, 305: 0.43, 306: 0.39})


def test_mean_and_deviation_are_over_seeds():
    assert THREE.mean == pytest.approx(1.24 / 3)
    assert THREE.deviation == pytest.approx(math.sqrt((0.0067**2 + 0.0167**2 + 0.0233**2) / 2), abs=1e-4)
    assert math.isnan(Sample({304: 0.42}).deviation)


def test_only_seeds_that_both_have_are_paired():
    left, right = Sample({1: 0.5, 2: 0.6, 3: 0.7}), Sample({2: 0.5, 3: 0.5, 4: 0.5})
    assert left.minus(right).values == pytest.approx({2: 0.1, 3: 0.2})
    assert left.minus(Sample({9: 0.1})) is None


def test_scores_are_written_in_points_with_their_spread():
    assert spread_text(THREE) == "41.33 ± 2.08"
    assert score_text(THREE) == "41.33 ± 2.08 (3)"
    assert spread_text(Sample({304: -0.01})) == "−1.00"
    assert score_text(Sample({304: 0.41})) == "41.00 (1)"
    assert difference_text(Sample({304: 0.03, 305: 0.05, 306: -0.01})) == "+2.33 ± 3.06 (2 of 3)"
    assert (score_text(None), difference_text(None)) == ("–", "–")
