"""PPM: the pyramid pooling module of PSPNet."""

from torch import Tensor, nn

from switchseg.models.blocks import Decoder, MapSizes, NormFactory, PyramidPooling, conv_norm_act


class PPM(Decoder):
    """Pyramid pooling of the deepest map (512 channels a branch), a 3x3 convolution, dropout, the classifier."""

    width = 512

    def __init__(self, maps: MapSizes, num_classes: int, norm: NormFactory) -> None:
        super().__init__(maps, num_classes, norm)
        width = self.width
        channels = maps.channels[-1]
        self.pyramid = PyramidPooling(channels, width, norm)
        self.block = conv_norm_act(channels + len(self.pyramid) * width, width, 3, norm)
        self.dropout = nn.Dropout2d(0.1)
        self.classify = nn.Conv2d(width, num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return logits at the size of the last map."""
        logits: Tensor = self.classify(self.dropout(self.block(self.pyramid(maps[-1]))))
        return logits
