"""UPerNet: a feature pyramid over all maps, at the size of the largest."""

import pytest

from switchseg.models.blocks import MapSizes
from switchseg.models.decoders.upernet import UPerNet, UPerNetLite
from tests.models.decoders.pyramid import built, levels_used, maps


@pytest.mark.parametrize(("decoder", "width"), [(UPerNet, 512), (UPerNetLite, 256)])
def test_all_maps_count_at_the_width_of_the_decoder(decoder: type, width: int) -> None:
    model = built(decoder)
    assert levels_used(model) == [0, 1, 2, 3]
    assert model.classify.in_channels == width
    assert model(maps()).shape == (1, 5, 16, 24)


def test_pooled_maps_are_resized_before_their_convolution_as_in_2018() -> None:
    assert built(UPerNetLite).pyramid.resize_first


def test_two_maps_are_enough() -> None:
    model = built(UPerNetLite, MapSizes((8, 16), (4, 8)))
    assert model(maps()[:2]).shape == (1, 5, 16, 24)
