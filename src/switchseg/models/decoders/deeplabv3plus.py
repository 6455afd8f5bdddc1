"""DeepLabV3+: the atrous pyramid, refined with the encoder's largest map."""

import torch
from torch import Tensor, nn

from switchseg.models.blocks import Decoder, MapSizes, NormFactory, conv_norm_act, resize
from switchseg.models.decoders.aspp import AtrousPyramid


class DeepLabV3Plus(Decoder):
    """The atrous pyramid upsampled to the largest map, joined with 48 channels of that map, two 3x3 convolutions."""

    level = 0
    min_maps = 2
    width = 256

    def __init__(self, maps: MapSizes, num_classes: int, norm: NormFactory) -> None:
        super().__init__(maps, num_classes, norm)
        width = self.width
        self.pyramid = AtrousPyramid(maps.channels[-1], maps.strides[-1], norm, width)
        # So few, as in the paper, that the details do not outweigh the context.
        self.detail = conv_norm_act(maps.channels[0], 48, 1, norm)
        self.block = nn.Sequential(
            conv_norm_act(width + 48, width, 3, norm),
            conv_norm_act(width, width, 3, norm),
        )
        self.classify = nn.Conv2d(width, num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return logits at the size of the first map."""
        detail = self.detail(maps[0])
        context = resize(self.pyramid(maps[-1]), detail)
        logits: Tensor = self.classify(self.block(torch.cat([context, detail], 1)))
        return logits
