"""The formula against statistics that are taken the long way round, without moments of maps."""

import pytest
import torch

from switchseg.norms.reference import instance_moments, statistics_dtype, switch_norm


def maps(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3 + 2


def by(name, x):
    """Normalize with one statistic alone."""
    one = torch.ones(1, dtype=x.dtype)
    return switch_norm(x, one, one, statistics=(name,))[0]


def test_instance_statistics_alone_are_instance_norm_with_the_unbiased_variance():
    x = maps(2, 3, 4, 5)
    expected = (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(by("in", x), expected)


@pytest.mark.parametrize(("name", "axis"), [("ln", 1), ("bn", 0)])
def test_layer_and_batch_statistics_are_merged_from_those_of_maps(name, axis):
    x = maps(4, 3, 4, 5)
    means, variances = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True)
    mean = means.mean(axis, keepdim=True)
    var = (variances + means.square()).mean(axis, keepdim=True) - mean.square()
    torch.testing.assert_close(by(name, x), (x - mean) / (var + 1e-5).sqrt())


def test_a_map_of_one_element_has_variance_0():
    mean, var = instance_moments(maps(2, 3, 1))
    assert torch.isfinite(mean).all()
    assert (var == 0).all()


def test_running_moments_take_the_place_of_the_batch():
    x = maps(2, 3, 4, 4)
    mean, var = torch.arange(3.0), torch.arange(3.0) + 1
    one = torch.ones(1, dtype=x.dtype)
    found, *batch = switch_norm(x, one, one, statistics=("bn",), running=(mean, var))
    torch.testing.assert_close(found, (x - mean.view(3, 1, 1)) / (var.view(3, 1, 1) + 1e-5).sqrt())
    assert all(each.numel() == 0 for each in batch)


def test_a_large_mean_costs_no_digits():
    x = (torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(2)) * 0.01 + 1000).float()
    third = torch.full((3,), 1 / 3)
    found = switch_norm(x, third, third)[0].double()
    expected = switch_norm(x.double(), third.double(), third.double())[0]
    # The input itself is known to 6e-5 of its deviation of 0.01.
    torch.testing.assert_close(found, expected, atol=2e-2, rtol=0)


@pytest.mark.parametrize(
    ("given", "expected"),
    [(torch.float16, torch.float32), (torch.bfloat16, torch.float32), (torch.float64, torch.float64)],
)
def test_statistics_are_wide(given, expected):
    assert statistics_dtype(given) is expected
