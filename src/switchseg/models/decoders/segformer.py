"""SegFormer's all-MLP decoder: every map through one linear layer, joined at the size of the largest."""

import torch
from torch import Tensor, nn

from switchseg.models.blocks import Decoder, MapSizes, NormFactory, conv_norm_act, resize


class SegFormer(Decoder):
    """A linear layer per map and pixel, a linear fusion with norm and ReLU, dropout, the classifier."""

    level = 0
    width = 256

    def __init__(self, maps: MapSizes, num_classes: int, norm: NormFactory) -> None:
        super().__init__(maps, num_classes, norm)
        width = self.width
        self.linears = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in maps.channels)
        self.block = conv_norm_act(len(maps.channels) * width, width, 1, norm)
        self.dropout = nn.Dropout2d(0.1)
        self.classify = nn.Conv2d(width, num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return logits at the size of the first map."""
        projected = [linear(level) for linear, level in zip(self.linears, maps, strict=True)]
        fused = torch.cat([projected[0], *(resize(level, projected[0]) for level in projected[1:])], 1)
        logits: Tensor = self.classify(self.dropout(self.block(fused)))
        return logits
