"""Atrous pyramid: its dilations, and a dropout that evaluation does without."""

import pytest
import torch

from switchseg.models.blocks import MapSizes
from switchseg.models.decoders.aspp import ASPP
from tests.models.decoders.pyramid import built, levels_used, maps


@pytest.mark.parametrize(("stride", "rates"), [(8, [1, 12, 24, 36]), (16, [1, 6, 12, 18]), (32, [1, 3, 6, 9])])
def test_dilations_cover_the_same_pixels_at_every_stride(stride: int, rates: list[int]) -> None:
    decoder = built(ASPP, MapSizes((8,), (stride,)))
    assert [branch[0].dilation[0] for branch in decoder.pyramid.branches] == rates


def test_only_the_deepest_map_counts() -> None:
    assert levels_used(built(ASPP)) == [3]


@torch.no_grad()
def test_the_average_of_the_image_reaches_every_logit() -> None:
    decoder, values = built(ASPP), maps(height=1024, width=1024)
    before = decoder(values)
    values[3] = values[3].clone()
    values[3][0, :, 0, 0] += 1000
    assert (decoder(values) != before).any(1).all()
