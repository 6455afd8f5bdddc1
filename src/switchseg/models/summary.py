"""How large a network is and how much it computes, found without computing anything."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from switchseg.models.blocks import MapSizes
from switchseg.models.create import create_model
from switchseg.models.encoders.timm_encoder import create_encoder


@dataclass(frozen=True)
class Summary:
    """The size of a network, and its work on one image."""

    name: str
    parameters: int
    flops: int
    """Floating point operations of convolutions and products; a multiplication and its addition count as two."""
    stride: int
    """Of the logits, or of an encoder's deepest map."""
    maps: MapSizes


def summarize_encoder(name: str, side: int = 512) -> Summary:
    """Describe an encoder for an image of `side` x `side` pixels.

    Raises:
        UserError: there is no such encoder.
    """
    with torch.device("meta"):
        encoder = create_encoder(name)
    return Summary(name, *_measure(encoder, side), encoder.maps.strides[-1], encoder.maps)


def summarize_model(encoder: str, decoder: str, norm: str, num_classes: int, side: int = 512) -> Summary:
    """Describe a whole network in evaluation, for an image of `side` x `side` pixels.

    Raises:
        UserError: a name is unknown, or the two do not go together.
    """
    with torch.device("meta"):
        model = create_model(encoder, decoder, norm, num_classes)
    return Summary(decoder, *_measure(model, side), model.stride, model.encoder.maps)


def _measure(network: nn.Module, side: int) -> tuple[int, int]:
    parameters = sum(parameter.numel() for parameter in network.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.empty(1, 3, side, side, device="meta"))
    return parameters, counter.get_total_flops()
