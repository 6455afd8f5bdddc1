"""The linear decoder by which pretrained transformers are judged."""

from torch import Tensor, nn

from switchseg.models.blocks import Decoder, MapSizes, NormFactory


class Linear(Decoder):
    """A norm and the classifier, on the deepest map."""

    def __init__(self, maps: MapSizes, num_classes: int, norm: NormFactory) -> None:
        super().__init__(maps, num_classes, norm)
        self.norm = norm(maps.channels[-1])
        self.classify = nn.Conv2d(maps.channels[-1], num_classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return logits at the size of the last map."""
        logits: Tensor = self.classify(self.norm(maps[-1]))
        return logits
