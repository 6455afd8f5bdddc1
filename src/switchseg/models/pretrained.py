"""Encoders that start from ImageNet: weights of a package, of timm's hub, or a classifier's checkpoint in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import timm
from torch import Tensor

from switchseg import norms
from switchseg.errors import UserError
from switchseg.models.blocks import Encoder
from switchseg.models.encoders.timm_encoder import create_encoder, timm_network
from switchseg.models.installed import find_installed
from switchseg.models.layouts import CLASSIFIERS, ENCODER_LAYOUTS, encoder_keys
from switchseg.models.weights import read_weights, translate
from switchseg.preprocessing import RGB, Preprocessing

IMAGENET = "imagenet"

DEFAULT_INIT = "bn"
"""How a norm that mixes BN begins in place of a pretrained BatchNorm."""

# Networks that timm also has weights of with GroupNorm.
_GROUP_NORM = {"resnet50": "resnet50_gn"}


def create_pretrained(
    name: str, norm: str | norms.Factory | norms.Kind, pretrained: str | None, norm_init: str | float | None
) -> Encoder:
    """Build an encoder with the norm `norm`.

    Args:
        name: of the encoder.
        norm: a name of `norms.NORMS`, a class or a callable, which takes the place of BatchNorms. All other norms, as
            ConvNeXt, transformers and `resnet50_gn` have them, stay.
        pretrained: None, `imagenet` for weights of an installed package or else of timm's hub, or the path of a
            classifier's checkpoint: a torchvision, timm, MIT or EfficientNet-PyTorch network, or a Switchable
            Normalization network of 2018.
        norm_init: how a norm begins that takes the place of a pretrained BatchNorm: `uniform`, `bn`, or the share of BN
            between 0 and 1. None is `bn`, which reproduces the BatchNorm. Norms that mix no BN, and all those without a
            pretrained BatchNorm, begin `uniform`.

    Raises:
        UserError: there is no such encoder or file, or the file holds another network.
    """
    source = _source(name, pretrained)
    from_hub = source == IMAGENET
    state = None if source in (None, IMAGENET) else read_weights(str(source))
    # BatchNorm's weights are loaded before the norms are exchanged, any other norm's after that.
    batch_norm = state is not None and _has_statistics(state) and not any(k.endswith(".mean_weight") for k in state)
    kind = norms.find_kind(norm)
    # GroupNorm cannot reproduce a BatchNorm, but weights that were trained with it fit as they are.
    group_norm = _group_norm_name(name) if kind.name == "gn" and from_hub else None

    encoder = create_encoder(name, imagenet=from_hub and group_norm is None)
    if state is not None and batch_norm:
        _load(encoder, state, str(source))
    if kind.name != "bn" and _has_statistics(encoder.state_dict()):
        # Without pretrained BatchNorms there is nothing to reproduce: the norms stay new, or are overwritten below.
        exact = kind.like_batch_norm and (batch_norm or from_hub)
        _exchange_batch_norms(
            encoder, name, kind, (DEFAULT_INIT if norm_init is None else norm_init) if exact else "uniform"
        )
    if state is not None and not batch_norm:
        _load(encoder, state, str(source))
    if group_norm is not None:
        encoder.load_state_dict(create_encoder(group_norm, imagenet=True).state_dict())
    return encoder


def pretrained_preprocessing(name: str, pretrained: str | None) -> Preprocessing:
    """Return what the weights that `create_pretrained` begins with were trained on, and `RGB` where that is unknown."""
    if pretrained != IMAGENET:
        return RGB
    timm_name = timm_network(name)
    installed = find_installed(timm_name)
    if installed is not None:
        return installed.preprocessing
    config: Any = timm.get_pretrained_cfg(timm_name)
    return RGB if config is None else Preprocessing(mean=config.mean, std=config.std)


def _source(name: str, pretrained: str | None) -> str | None:
    """Return `pretrained`, or the file of an installed package in place of `imagenet`."""
    installed = find_installed(timm_network(name)) if pretrained == IMAGENET else None
    return pretrained if installed is None else str(installed.path)


def _exchange_batch_norms(encoder: Encoder, name: str, kind: norms.Kind, init: str | float) -> None:
    # A network of which some BatchNorms stay would be saved under the name of a norm that it has not throughout.
    def refuse_a_part(conversion: norms.Conversion) -> None:
        for path, reason in conversion.missed.items():
            raise ValueError(f"{path}: {reason}")

    try:
        norms.convert_norms(encoder, kind, init, report=refuse_a_part, batch_norms_only=True)
    except (TypeError, ValueError) as error:
        raise UserError(f"encoder {name!r} cannot have {kind.name} norms: {error}") from error


def _has_statistics(state: Mapping[str, Tensor]) -> bool:
    return any(key.endswith(".running_mean") for key in state)


def _group_norm_name(name: str) -> str | None:
    base, separator, dilation = name.partition("_dilated")
    return f"{_GROUP_NORM[base]}{separator}{dilation}" if base in _GROUP_NORM else None


def _load(encoder: Encoder, state: Mapping[str, Tensor], source: str) -> None:
    """Load a classifier's state dict of any layout; the one that shares most keys with the file is taken."""
    own = encoder.state_dict()
    candidates = (encoder_keys(own, layout) for layout in ENCODER_LAYOUTS)
    # The layouts share keys (conv1 is in all ResNets), so that any match is no proof; ties go to the first.
    theirs_of = max(candidates, key=lambda keys: sum(theirs in state for theirs in keys.values()))
    classifier = CLASSIFIERS
    if any(key.startswith("conv_head.") for key in state):
        # The norm after conv_head; in MIT's ResNets bn2 is in the stem.
        classifier = (*CLASSIFIERS, "bn2.")
    # Only what is known to belong to a classifier may be left over; any other surplus key is still an error.
    used = set(theirs_of.values())
    body = {key: tensor for key, tensor in state.items() if key in used or not key.startswith(classifier)}
    encoder.load_state_dict(translate(body, theirs_of, own, source))
