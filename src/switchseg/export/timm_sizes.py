"""What timm computes of sizes, in terms that stay true and short where sizes are free."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from timm.layers import padding, pos_embed_sincos


@contextlib.contextmanager
def traceable_sizes() -> Iterator[None]:
    """Let timm compute with sizes so that they can be traced, while the context lasts.

    `float(size)` freezes a size where tracing meets it: the rotary positions of DINOv3 would be those of the traced
    images for all others. The SAME padding of `tf_` encoders takes a maximum over quotients that are rounded up; each
    layer's holds those of all layers before, and the export of EfficientNet-Lite0 takes minutes.
    """
    own, names = padding.get_same_padding, vars(pos_embed_sincos)
    padding.get_same_padding = same_padding
    names["float"] = torch.sym_float  # before the built-in one, which stands in no module
    try:
        yield
    finally:
        padding.get_same_padding = own
        del names["float"]


def same_padding(x: int, kernel_size: int, stride: int, dilation: int) -> int:
    """Return by how many pixels a side of `x` pixels is padded in all, so that ceil(x / stride) windows fit in."""
    span = dilation * (kernel_size - 1) + 1
    # What is missing from the last stride, and how far a window reaches beyond a stride.
    missing = -x % stride + span - stride
    return missing if span >= stride else max(missing, 0)
