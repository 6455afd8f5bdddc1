"""Pyramid pooling: averages of the image beside each pixel."""

import torch
from torch.nn import functional as F

from switchseg.models.decoders.ppm import PPM
from tests.models.decoders.pyramid import built, levels_used, maps


def test_only_the_deepest_map_counts() -> None:
    assert levels_used(built(PPM)) == [3]


@torch.no_grad()
def test_the_pyramid_is_pooled_averages_at_four_sizes() -> None:
    decoder, value = built(PPM), maps(height=256, width=384)[3]
    found = decoder.pyramid(value)
    assert found.shape == (1, 32 + 4 * 512, 8, 12)
    assert torch.equal(found[:, :32], value)
    for index, size in enumerate((1, 2, 3, 6)):
        pooled = decoder.pyramid[index](F.adaptive_avg_pool2d(value, size))
        expected = F.interpolate(pooled, value.shape[2:], mode="bilinear", align_corners=False)
        start = 32 + 512 * index
        torch.testing.assert_close(found[:, start : start + 512], expected, rtol=1e-4, atol=1e-4)
