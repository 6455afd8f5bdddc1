"""MobileNetV2 with MIT's choice of feature maps, on timm's network."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from switchseg.models.blocks import Encoder, MapSizes


class MobileNetV2(Encoder):
    """Returns the maps after blocks 2, 4, 7 and 14, counting the stem as 0, and after the last one.

    These are the first blocks of their stages, where timm's own feature maps come from the last ones.
    """

    taken = (2, 4, 7, 14)

    def __init__(self, body: Any, output_stride: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(body.conv_stem, body.bn1)
        self.blocks = nn.Sequential(*(block for stage in body.blocks for block in stage))
        # A dilated network stops shrinking at the output stride; the maps after that only see further.
        strides = (min(stride, output_stride) for stride in (4, 8, 16, 32, 32))
        self._recompute = False
        self.maps = MapSizes((24, 32, 64, 160, 320), tuple(strides))

    def checkpoint_activations(self) -> None:
        """Run each block again in the backward pass."""
        self._recompute = True

    def forward(self, images: Tensor) -> list[Tensor]:  # noqa: D102
        value = self.stem(images)
        maps = []
        for index, block in enumerate(self.blocks, start=1):
            value = checkpoint(block, value, use_reentrant=False) if self._recompute else block(value)
            if index in self.taken:
                maps.append(value)
        return [*maps, value]
