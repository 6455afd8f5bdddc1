"""create_model: from names to a network."""

from __future__ import annotations

from torch import nn

from switchseg import norms
from switchseg.classes import Classes
from switchseg.errors import UserError
from switchseg.models.blocks import AuxiliaryHead, Decoder, MapSizes
from switchseg.models.decoders import DECODERS, parse_decoder
from switchseg.models.norm_names import NORM_NAMES
from switchseg.models.pretrained import create_pretrained, pretrained_preprocessing
from switchseg.models.segmenter import Segmenter
from switchseg.models.spec import ModelSpec
from switchseg.preprocessing import Preprocessing

MOST_CLASSES = 2**16 - 1
"""What a label map of 16 bits has room for."""


def create_model(
    encoder: str,
    decoder: str,
    norm: str | norms.Factory = "sn",
    num_classes: int = 150,
    pretrained: str | None = None,
    *,
    classes: Classes | None = None,
    preprocessing: Preprocessing | None = None,
    auxiliary: bool | None = None,
    norm_init: str | float | None = None,
) -> Segmenter:
    """Build a segmentation network in training mode, initialised as in 2018.

    Args:
        encoder: a name of 2018 (`resnet50_dilated8`), of MIT (`resnet50dilated`) or of timm, with an optional
            `_dilated8` or `_dilated16`.
        decoder: a name of `DECODERS`; `_bilinear` changes nothing, `_deepsup` asks for the auxiliary head.
        norm: a name of `norms.NORMS`, the class of a layer, or a callable (`norms.find_kind`), for the decoder and in
            place of the encoder's BatchNorms. To save the model, its norm must have a name (`norms.register_norm`).
        num_classes: channels of the logits, where `classes` does not say.
        pretrained: None for random weights, `imagenet` for the encoder's weights from an installed package or from
            timm's hub, or the file of an ImageNet classifier with that encoder (timm, torchvision, MIT,
            EfficientNet-PyTorch or the Switchable Normalization networks of 2018).
        classes: names and colours; unnamed classes without.
        preprocessing: what the images go through before they reach the model; None is what `imagenet` weights were
            trained on, and `RGB` otherwise.
        auxiliary: whether there is an auxiliary head, whatever the decoder's name says.
        norm_init: how a norm starts that takes the place of a pretrained BatchNorm: `uniform`, `bn` or a share, see
            `norms.convert_norms`; None is `bn`.

    Raises:
        UserError: a name is unknown, or the encoder has too few maps for the decoder.
    """
    if classes is None:
        if not 1 <= num_classes <= MOST_CLASSES:
            raise UserError(f"num_classes must be at least 1 and at most {MOST_CLASSES}, but is {num_classes}")
        classes = Classes.unnamed(num_classes)
    base, deepsup = parse_decoder(decoder)
    kind = parse_norm(norm)
    preprocessing = preprocessing or pretrained_preprocessing(encoder, pretrained)
    spec = ModelSpec(encoder, decoder, kind.name, classes, preprocessing, deepsup if auxiliary is None else auxiliary)
    body = create_pretrained(encoder, kind, pretrained, norm_init)
    # The decoder decides which maps there are, and only then their number can be judged.
    body.take_maps(DECODERS[base].finest_stride)
    _check_maps(spec, DECODERS[base], body.maps)
    _check_norm(kind, body.maps.channels[-1])
    # The encoder is left out of this: timm initialises its own, or it holds pretrained weights by now.
    head = DECODERS[base](body.maps, len(classes), kind.factory).apply(_initialise)
    helper = None
    if spec.auxiliary:
        helper = AuxiliaryHead(body.maps, len(classes), kind.factory, head.auxiliary_dropout).apply(_initialise)
    return Segmenter(spec, body, head, helper)


def parse_norm(norm: str | norms.Factory) -> norms.Kind:
    """Return what is known of the norm that a user named or gave; see `norms.find_kind`.

    Raises:
        UserError: there is no such norm.
    """
    if isinstance(norm, str):
        NORM_NAMES.require("norm", norm)
    try:
        return norms.find_kind(norm)
    except TypeError as error:
        raise UserError(str(error)) from error


def _check_maps(spec: ModelSpec, decoder: type[Decoder], maps: MapSizes) -> None:
    for part, needed in ((f"decoder {spec.decoder!r}", decoder.min_maps), ("an auxiliary head", 1 + spec.auxiliary)):
        if len(maps.channels) < needed:
            enough = ", ".join(name for name, other in DECODERS.items() if other.min_maps <= len(maps.channels))
            raise UserError(
                f"{part} needs {needed} feature maps, but encoder {spec.encoder!r} has {len(maps.channels)}; "
                f"with it, take {enough} without _deepsup"
            )


def _check_norm(kind: norms.Kind, channels: int) -> None:
    try:
        fits = norms.takes_inputs(kind.factory(channels), channels, dims=4)
    except Exception as error:  # whatever a callable of the user's raises
        raise UserError(f"norm {kind.name} makes no layer of {channels} channels ({error})") from error
    if not fits:
        raise UserError(f"norm {kind.name} makes layers that do not take maps [N, {channels}, H, W]")


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.kaiming_normal_(module.weight)
