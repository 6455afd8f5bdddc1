"""A fourth statistic is one entry in the table."""

import torch

from switchseg.norms import SwitchNorm2d, statistics


def _halves(mean, var, correction):
    """Merge the first and the second half of the channels of each image, as GN of two groups does."""
    groups = [moment.unflatten(1, (2, -1)) for moment in (mean, var)]
    merged = statistics.merge_moments(*groups, dim=2, correction=correction)
    return tuple(moment.expand_as(groups[0]).flatten(1) for moment in merged)


def test_a_layer_mixes_a_statistic_of_its_users(monkeypatch):
    monkeypatch.setitem(statistics.MERGES, "halves", _halves)
    x = torch.randn(2, 6, 5, 5, dtype=torch.float64, requires_grad=True)
    layer = SwitchNorm2d(6, statistics=("ln", "halves"), dtype=torch.float64)
    layer.mean_weight.data = layer.var_weight.data = torch.tensor([-900.0, 0.0], dtype=torch.float64)
    y = layer(x)
    # Variances of maps are unbiased in the layer and biased in torch's norm.
    maps = x.var(dim=(2, 3)).unflatten(1, (2, -1))
    means = x.mean(dim=(2, 3)).unflatten(1, (2, -1))
    var = (maps.mean(2) + means.var(2, correction=0)).repeat_interleave(3, 1)[..., None, None]
    mean = means.mean(2).repeat_interleave(3, 1)[..., None, None]
    torch.testing.assert_close(y, (x - mean) / (var + layer.eps).sqrt())
    y.square().sum().backward()
    assert x.grad.isfinite().all()


def test_the_order_of_the_table_is_that_of_the_names():
    assert statistics.check_statistics(["in", "bn"]) == ("in", "bn")
