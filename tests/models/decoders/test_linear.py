"""The linear decoder is a norm and one 1x1 convolution."""

import torch
from torch import nn

from switchseg.models.decoders.linear import Linear
from switchseg.norms import SwitchNorm2d
from tests.models.decoders.pyramid import built, levels_used, maps


def test_only_the_deepest_map_counts_and_each_pixel_by_itself() -> None:
    decoder = built(Linear)
    assert levels_used(decoder) == [3]
    with torch.no_grad():
        values = maps()
        before = decoder(values)
        values[3] = values[3].clone()
        values[3][0, :, 1, 2] += 10
        assert (decoder(values) != before).any(1)[0].nonzero().tolist() == [[1, 2]]


def test_it_has_the_norm_that_was_asked_for() -> None:
    decoder = built(Linear, norm=SwitchNorm2d)
    assert isinstance(decoder.norm, SwitchNorm2d)
    assert [type(module) for module in decoder.children()] == [SwitchNorm2d, nn.Conv2d]
