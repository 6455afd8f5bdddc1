"""TensorFlow's SAME padding, by which timm's `tf_` encoders pad, in terms that tracing can follow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from timm.layers import padding


@contextlib.contextmanager
def traceable_same_padding() -> Iterator[None]:
    """Let timm pad by `same_padding` while the context lasts.

    Its own formula takes a maximum over quotients that are rounded up. With free sizes each layer's holds those of all
    layers before, and the export of EfficientNet-Lite0 takes minutes.
    """
    original = padding.get_same_padding
    padding.get_same_padding = same_padding
    try:
        yield
    finally:
        padding.get_same_padding = original


def same_padding(x: int, kernel_size: int, stride: int, dilation: int) -> int:
    """Return by how many pixels a side of `x` pixels is padded in all, so that ceil(x / stride) windows fit in."""
    span = dilation * (kernel_size - 1) + 1
    # What is missing from the last stride, and how far a window reaches beyond a stride.
    missing = -x % stride + span - stride
    return missing if span >= stride else max(missing, 0)
