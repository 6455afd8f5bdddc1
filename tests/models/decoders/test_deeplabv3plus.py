"""DeepLabV3+ joins the deepest map's context with the largest map's detail."""

import torch

from switchseg.models.decoders.deeplabv3plus import DeepLabV3Plus
from tests.models.decoders.pyramid import built, levels_used, maps


def test_the_first_and_the_last_map_count() -> None:
    assert levels_used(built(DeepLabV3Plus)) == [0, 3]


def test_logits_have_the_size_of_the_first_map() -> None:
    decoder = built(DeepLabV3Plus)
    assert decoder(maps()).shape == (1, 5, 16, 24)
    assert decoder.detail[0].out_channels == 48


@torch.no_grad()
def test_maps_whose_sizes_are_no_multiples_are_joined() -> None:
    values = maps(height=64, width=96)
    values[0] = torch.randn(1, 8, 17, 25)
    assert built(DeepLabV3Plus)(values).shape == (1, 5, 17, 25)
