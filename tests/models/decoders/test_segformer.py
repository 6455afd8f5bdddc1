"""SegFormer's decoder: every map, pixel by pixel."""

import torch

from switchseg.models.decoders.segformer import SegFormer
from tests.models.decoders.pyramid import MAPS, built, levels_used, maps


def test_all_maps_count() -> None:
    assert levels_used(built(SegFormer)) == [0, 1, 2, 3]


def test_all_layers_are_linear_per_pixel() -> None:
    decoder = built(SegFormer)
    kernels = [m.kernel_size for m in decoder.modules() if isinstance(m, torch.nn.Conv2d)]
    assert set(kernels) == {(1, 1)}
    assert len(kernels) == len(MAPS.channels) + 2


@torch.no_grad()
def test_a_change_of_the_largest_map_stays_at_its_pixel() -> None:
    decoder, values = built(SegFormer), maps()
    before = decoder(values)
    values[0] = values[0].clone()
    values[0][0, :, 5, 7] += 10
    assert (decoder(values) != before).any(1)[0].nonzero().tolist() == [[5, 7]]
