"""create_model: from names to a network."""

from __future__ import annotations

import torch
from torch import nn

from switchseg import norms
from switchseg.data.classes import Classes
from switchseg.data.preprocessing import RGB, Preprocessing
from switchseg.errors import UserError
from switchseg.models.blocks import AuxiliaryHead
from switchseg.models.decoders import DECODERS
from switchseg.models.encoders import create_encoder
from switchseg.models.segmenter import Segmenter
from switchseg.models.spec import ModelSpec


def create_model(
    encoder: str,
    decoder: str,
    norm: str = "sn",
    num_classes: int = 150,
    pretrained: str | None = None,
    *,
    classes: Classes | None = None,
    preprocessing: Preprocessing = RGB,
    auxiliary: bool | None = None,
    norm_init: str | None = None,
) -> Segmenter:
    """Build a segmentation network in training mode, initialised as in 2018.

    Args:
        encoder: a name of 2018 (`resnet50_dilated8`), of MIT (`resnet50dilated`) or of timm, with an optional
            `_dilated8` or `_dilated16`.
        decoder: a name of `DECODERS`; `_bilinear` changes nothing, `_deepsup` asks for the auxiliary head.
        norm: a name of `norms.NORMS`, for the encoder's BatchNorms and for the decoder.
        num_classes: channels of the logits, where `classes` does not say.
        pretrained: None for random weights, `imagenet` for timm's weights of the encoder.
        classes: names and colours; unnamed classes without.
        preprocessing: what the images went through before they reach the model.
        auxiliary: whether there is an auxiliary head, whatever the decoder's name says.
        norm_init: `uniform` or `bn`, see `norms.convert_norms`; None is `bn` for pretrained encoders.

    Raises:
        UserError: a name is unknown, or the encoder has too few maps for the decoder.
    """
    classes = classes or Classes.unnamed(num_classes)
    base, named_auxiliary = parse_decoder(decoder)
    if norm not in norms.NORMS:
        raise UserError(f"unknown norm {norm!r}; the norms are {', '.join(norms.NORMS)}")
    spec = ModelSpec(
        encoder, decoder, norm, classes, preprocessing, named_auxiliary if auxiliary is None else auxiliary
    )
    net = create_encoder(encoder, imagenet=pretrained == "imagenet")
    if norm != "bn":
        norms.convert_norms(net, norm, norm_init or ("bn" if pretrained else "uniform"))
    needed = max(DECODERS[base].min_maps, 2 if spec.auxiliary else 1)
    if len(net.maps.channels) < needed:
        what = "the auxiliary head" if spec.auxiliary else f"decoder {decoder!r}"
        raise UserError(f"{what} needs {needed} maps, but encoder {encoder!r} has {len(net.maps.channels)}")
    head = DECODERS[base](net.maps, len(classes), norms.NORMS[norm])
    helper = (
        AuxiliaryHead(net.maps, len(classes), norms.NORMS[norm], head.auxiliary_dropout) if spec.auxiliary else None
    )
    model = Segmenter(spec, net, head, helper)
    for part in (head, helper):
        if part is not None:
            part.apply(_initialise)
    return model


def parse_decoder(name: str) -> tuple[str, bool]:
    """Return the key of `DECODERS` that a decoder's name stands for, and whether it asks for an auxiliary head.

    Raises:
        UserError: there is no such decoder.
    """
    base, auxiliary = name.removesuffix("_deepsup"), name.endswith("_deepsup")
    base = base.removesuffix("_bilinear")
    if base not in DECODERS:
        raise UserError(
            f"unknown decoder {name!r}; the decoders are {', '.join(DECODERS)}, each with or without _deepsup"
        )
    return base, auxiliary


@torch.no_grad()
def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
