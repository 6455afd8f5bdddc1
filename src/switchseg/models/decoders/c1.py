"""C1: one 3x3 convolution on the deepest map."""

from torch import Tensor, nn

from switchseg.models.blocks import Decoder, MapSizes, NormFactory, conv_norm_act


class C1(Decoder):
    """A 3x3 convolution to a quarter of the channels, then the classifier."""

    # The auxiliary head beside C1 had no dropout in 2018, unlike that beside PPM.
    auxiliary_dropout = 0.0

    def __init__(self, maps: MapSizes, num_classes: int, norm: NormFactory) -> None:
        super().__init__(maps, num_classes, norm)
        width = maps.channels[-1] // 4
        self.block = conv_norm_act(maps.channels[-1], width, 3, norm)
        self.classify = nn.Conv2d(width, num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return logits at the size of the last map."""
        logits: Tensor = self.classify(self.block(maps[-1]))
        return logits
