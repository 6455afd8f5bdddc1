"""SAME padding for tracing: equal to timm's own, which is back when the context is over."""

from itertools import product

from timm.layers import padding

from switchseg.export.same_padding import same_padding, traceable_same_padding


def test_it_is_timms_padding_at_all_sizes() -> None:
    for size, kernel, stride, dilation in product(range(1, 30), range(1, 8), range(1, 5), range(1, 4)):
        expected = padding.get_same_padding(size, kernel, stride, dilation)
        assert same_padding(size, kernel, stride, dilation) == expected, (size, kernel, stride, dilation)


def test_timms_own_is_back_afterwards() -> None:
    own = padding.get_same_padding
    with traceable_same_padding():
        assert padding.get_same_padding is same_padding
    assert padding.get_same_padding is own
