"""torch's own norms for maps of any number of dimensions."""

import math

import pytest
import torch
from torch import nn

from switchseg.norms import NORMS, BatchNorm


def test_group_norm_has_the_groups_of_its_paper():
    for channels in (8, 24, 32, 48, 256):
        expected = nn.GroupNorm(math.gcd(32, channels), channels)
        x = torch.randn(2, channels, 4, 4)
        torch.testing.assert_close(NORMS["gn"](channels)(x), expected(x))
    assert NORMS["gn"](256).num_groups == 32


def test_batch_norm_takes_any_number_of_dimensions():
    layer = BatchNorm(4)
    for size, like in (
        ((), nn.BatchNorm1d),
        ((5,), nn.BatchNorm1d),
        ((5, 6), nn.BatchNorm2d),
        ((2, 5, 6), nn.BatchNorm3d),
    ):
        x = torch.randn(3, 4, *size)
        torch.testing.assert_close(layer(x), like(4)(x))
    with pytest.raises(ValueError, match=r"BatchNorm takes inputs with 2 or more dimensions, got shape \(4,\)"):
        layer(torch.randn(4))
