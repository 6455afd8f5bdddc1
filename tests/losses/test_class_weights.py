"""Weights of classes by how often they occur."""

import math

import pytest

from switchseg.losses.class_weights import from_shares


def test_rare_classes_weigh_more_and_a_pixel_weighs_one_on_average():
    pixels = [700, 250, 50, 0]
    weights = from_shares(pixels)
    assert list(weights) == sorted(weights)
    assert sum(count * weight for count, weight in zip(pixels, weights, strict=True)) == pytest.approx(sum(pixels))
    assert weights[2] / weights[0] == pytest.approx(math.log(1.02 + 0.7) / math.log(1.02 + 0.05))


def test_even_a_class_that_never_occurs_weighs_at_most_36_times_another():
    common, absent = from_shares([10**9, 0])
    assert 35 < absent / common < 36
