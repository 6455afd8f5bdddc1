"""UPerNet: pyramid pooling on the deepest map, a feature pyramid down to the largest, all fused at its size."""

import torch
from torch import Tensor, nn

from switchseg.models.blocks import Decoder, MapSizes, NormFactory, PyramidPooling, conv_norm_act, resize


class UPerNet(Decoder):
    """Fuses the encoder's maps in `width` channels."""

    level = 0
    min_maps = 2
    width = 512

    def __init__(self, maps: MapSizes, num_classes: int, norm: NormFactory) -> None:
        super().__init__(maps, num_classes, norm)
        width = self.width
        *lateral, deepest = maps.channels
        # The pyramid stays at 512 in the light one too: MIT's UPerNet has it so, and its files must fit.
        self.pyramid = PyramidPooling(deepest, 512, norm, resize_first=True)
        self.top = conv_norm_act(deepest + len(self.pyramid) * 512, width, 3, norm)
        self.laterals = nn.ModuleList(conv_norm_act(channels, width, 1, norm) for channels in lateral)
        self.outputs = nn.ModuleList(conv_norm_act(width, width, 3, norm) for _ in lateral)
        self.block = conv_norm_act(len(maps.channels) * width, width, 3, norm)
        self.classify = nn.Conv2d(width, num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return logits at the size of the first map."""
        path = self.top(self.pyramid(maps[-1]))
        levels = [path]
        for index in reversed(range(len(self.laterals))):
            lateral = self.laterals[index](maps[index])
            # The path goes on as a sum without the 3x3 convolution; that is for the output of the level alone.
            path = lateral + resize(path, lateral)
            levels.insert(0, self.outputs[index](path))
        fused = torch.cat([levels[0], *(resize(level, levels[0]) for level in levels[1:])], 1)
        logits: Tensor = self.classify(self.block(fused))
        return logits


class UPerNetLite(UPerNet):
    """UPerNet with half the channels."""

    width = 256
