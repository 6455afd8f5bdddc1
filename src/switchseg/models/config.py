"""The model section of a config. Importing it loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from switchseg.errors import UserError
from switchseg.models.decoders import DECODERS, parse_decoder
from switchseg.models.encoders import parse_encoder
from switchseg.models.norm_names import NORM_NAMES
from switchseg.registry import named


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which network is built and what it starts from; the number of classes comes from the data set."""

    encoder: str = "resnet50_dilated8"
    """resnet18|34|50|101|152, MIT's resnet50dilated, resnext101, mobilenetv2dilated, hrnetv2, or any timm name;
    `_dilated8` or `_dilated16` keeps the maps at that stride."""
    decoder: str = named(DECODERS, "c1_bilinear_deepsup")
    """`_deepsup` after its name adds the auxiliary head; `_bilinear` is understood and changes nothing."""
    norm: str = named(NORM_NAMES, "sn")
    """In the decoder and in place of the encoder's BatchNorms."""
    pretrained: str | None = None
    """Where the training starts: None is random weights; `imagenet` the encoder's from an installed package (the extra
    `weights`) or timm's from the hub; otherwise the path of an ImageNet checkpoint of the encoder, or of a model or run
    directory (all weights)."""
    preprocessing: Literal["rgb", "bgr"] | None = None
    """What the network sees: `rgb` is ImageNet's statistics as everybody uses them today, `bgr` is that of 2018. None
    is what the weights of `pretrained` were trained on, and `rgb` where they do not say."""
    auxiliary: bool | None = None
    """An auxiliary head on the encoder's second last map, in training only; None does as the decoder's name says."""
    norm_init: Literal["uniform", "bn"] | float | None = None
    """What a norm that takes the place of a pretrained BatchNorm starts as: `uniform` mixes all statistics equally,
    `bn` reproduces the BatchNorm's output, a number between 0 and 1 is BN's share. None is `bn`. A norm that does not
    mix BN starts evenly whatever this says, and so do all norms where there is no pretrained BatchNorm."""
    reset_head: bool = False
    """Start from a model directory with other classes: its last layers begin at random, all the rest is loaded."""

    def __post_init__(self) -> None:
        # Not by `check_names`, since these two names may have endings.
        parse_encoder(self.encoder, "model.encoder")
        parse_decoder(self.decoder, "model.decoder")
        NORM_NAMES.require("model.norm", self.norm)
        # Shares of 0 and 1 would need mixing weights at minus or plus infinity.
        if isinstance(self.norm_init, float) and not 0 < self.norm_init < 1:
            raise UserError(f"model.norm_init: {self.norm_init:g}; uniform, bn or a share between 0 and 1 was expected")
