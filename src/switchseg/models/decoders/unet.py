"""U-Net's decoder: from the deepest map upwards, joined with every map of the encoder on the way."""

import torch
from torch import Tensor, nn

from switchseg.models.blocks import Decoder, MapSizes, NormFactory, conv_norm_act, resize


class UNet(Decoder):
    """Upsamples to the next larger map, joins the two, two 3x3 convolutions; 256 channels, then half each time."""

    level = 0
    min_maps = 2
    finest_stride = 2
    width = 256

    def __init__(self, maps: MapSizes, num_classes: int, norm: NormFactory) -> None:
        super().__init__(maps, num_classes, norm)
        *skips, below = maps.channels
        width = self.width
        self.blocks = nn.ModuleList()
        for skip in reversed(skips):
            self.blocks.append(
                nn.Sequential(conv_norm_act(below + skip, width, 3, norm), conv_norm_act(width, width, 3, norm))
            )
            # Halved at every map, 256 would leave the classifier of an encoder with many maps hardly any channels.
            below, width = width, max(16, width // 2)
        self.classify = nn.Conv2d(below, num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return logits at the size of the first map."""
        *skips, path = maps
        for block, skip in zip(self.blocks, reversed(skips), strict=True):
            path = block(torch.cat([resize(path, skip), skip], 1))
        logits: Tensor = self.classify(path)
        return logits
