"""The whole network: encoder, decoder and, where there is one, the auxiliary head."""

from __future__ import annotations

import dataclasses

from torch import Tensor, nn

from switchseg.classes import Classes
from switchseg.models.blocks import AuxiliaryHead, Decoder, Encoder
from switchseg.models.spec import ModelSpec


class Segmenter(nn.Module):
    """Images [N, 3, H, W], normalized as `spec.preprocessing` says, -> logits [N, C, h, w] at 1 / `stride` of the size.

    In training mode a model with an auxiliary head returns (logits, auxiliary_logits), each at its own stride.
    """

    def __init__(self, spec: ModelSpec, encoder: Encoder, decoder: Decoder, auxiliary: AuxiliaryHead | None) -> None:
        super().__init__()
        self.spec = spec
        self.encoder = encoder
        self.decoder = decoder
        self.auxiliary = auxiliary
        self.stride = encoder.maps.strides[decoder.level]

    def reset_head(self, classes: Classes) -> None:
        """Begin anew with other classes: the last layers become random, all others stay as they are."""
        self.spec = dataclasses.replace(self.spec, classes=classes)
        for part in (self.decoder, self.auxiliary):
            if part is not None:
                old = part.classify
                # On the device and in the type of the old layer, which may already have been moved.
                part.classify = nn.Conv2d(old.in_channels, len(classes), 1).to(old.weight)
                nn.init.kaiming_normal_(part.classify.weight)

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:  # noqa: D102
        maps = self.encoder(images)
        logits = self.decoder(maps)
        return (logits, self.auxiliary(maps)) if self.training and self.auxiliary is not None else logits
