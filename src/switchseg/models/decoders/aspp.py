"""ASPP: the atrous spatial pyramid pooling head of DeepLabV3."""

import torch
from torch import Tensor, nn

from switchseg.models.blocks import Decoder, MapSizes, NormFactory, average_pool, conv_norm_act, resize


class AtrousPyramid(nn.Module):
    """A 1x1, three dilated 3x3 convolutions and the image average in parallel, then reduced to `width` channels.

    The dilations are 6, 12 and 18 at stride 16, and grow as the stride shrinks.
    """

    def __init__(self, channels: int, stride: int, norm: NormFactory, width: int) -> None:
        super().__init__()
        rates = [max(1, rate * 16 // stride) for rate in (6, 12, 18)]
        self.branches = nn.ModuleList(
            [
                conv_norm_act(channels, width, 1, norm),
                *(conv_norm_act(channels, width, 3, norm, dilation=rate) for rate in rates),
            ]
        )
        self.image = conv_norm_act(channels, width, 1, norm)
        self.project = conv_norm_act(5 * width, width, 1, norm)
        self.dropout = nn.Dropout(0.5)

    def forward(self, maps: Tensor) -> Tensor:
        """Return [N, width, H, W] from [N, C, H, W]."""
        branches = [branch(maps) for branch in self.branches]
        branches.append(resize(self.image(average_pool(maps, 1)), maps))
        result: Tensor = self.dropout(self.project(torch.cat(branches, 1)))
        return result


class ASPP(Decoder):
    """DeepLabV3: the atrous pyramid on the deepest map, a 3x3 convolution, the classifier."""

    width = 256

    def __init__(self, maps: MapSizes, num_classes: int, norm: NormFactory) -> None:
        super().__init__(maps, num_classes, norm)
        width = self.width
        self.pyramid = AtrousPyramid(maps.channels[-1], maps.strides[-1], norm, width)
        self.block = conv_norm_act(width, width, 3, norm)
        self.classify = nn.Conv2d(width, num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return logits at the size of the last map."""
        logits: Tensor = self.classify(self.block(self.pyramid(maps[-1])))
        return logits
