"""timm's sizes for tracing: equal to timm's own, which are back when the context is over."""

from itertools import product

import torch
from timm.layers import padding, pos_embed_sincos

from switchseg.export.timm_sizes import same_padding, traceable_sizes


def test_padding_is_timms_at_all_sizes() -> None:
    for size, kernel, stride, dilation in product(range(1, 30), range(1, 8), range(1, 5), range(1, 4)):
        expected = padding.get_same_padding(size, kernel, stride, dilation)
        assert same_padding(size, kernel, stride, dilation) == expected, (size, kernel, stride, dilation)


def test_rotary_positions_are_timms() -> None:
    rope = pos_embed_sincos.RotaryEmbeddingDinoV3(32)
    expected = rope.get_embed((3, 5))
    with traceable_sizes():
        assert torch.equal(rope.get_embed((3, 5)), expected)


def test_timms_own_is_back_afterwards() -> None:
    own = padding.get_same_padding
    with traceable_sizes():
        assert padding.get_same_padding is same_padding
    assert padding.get_same_padding is own
    assert "float" not in vars(pos_embed_sincos)
