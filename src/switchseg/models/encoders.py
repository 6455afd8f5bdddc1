"""Encoders: timm networks that return their feature maps, by the names of 2018, of MIT and of timm."""

from __future__ import annotations

import difflib
import re
from typing import Any, NamedTuple

import timm
from torch import Tensor, nn

from switchseg.errors import UserError
from switchseg.models.blocks import Encoder, MapSizes
from switchseg.models.hrnet import HRNetV2
from switchseg.models.mobilenet import MobileNetV2

# MIT's ResNets begin with three 3x3 convolutions, which timm calls the deep stem.
_DEEP_STEM = {"stem_width": 64, "stem_type": "deep"}

# Names that timm does not have -> the timm network, and what is changed in it.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "resnet18s": ("resnet18", _DEEP_STEM),
    "resnet34s": ("resnet34", _DEEP_STEM),
    "resnext101": ("resnext101_32x4d", _DEEP_STEM),
}

ALIASES = {
    "resnet18dilated": "resnet18s_dilated8",
    "resnet34dilated": "resnet34s_dilated8",
    "resnet50dilated": "resnet50s_dilated8",
    "resnet101dilated": "resnet101s_dilated8",
    "resnet152dilated": "resnet152s_dilated8",
    "mobilenetv2dilated": "mobilenetv2_dilated8",
}

ENCODERS = (
    *(f"resnet{depth}{suffix}" for depth in (18, 34, 50, 101, 152) for suffix in ("", "_dilated8", "_dilated16")),
    *ALIASES,
    "resnext101",
    "hrnetv2",
)
"""The names of 2018 and of MIT; every timm name is understood besides."""


class TimmEncoder(Encoder):
    """A timm network in its `features_only` form, without the maps that are larger than a quarter of the image."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.body = body
        strides, channels = body.feature_info.reduction(), body.feature_info.channels()
        self._taken = [index for index, stride in enumerate(strides) if stride >= 4]
        self.maps = MapSizes(tuple(channels[i] for i in self._taken), tuple(strides[i] for i in self._taken))

    def forward(self, images: Tensor) -> list[Tensor]:  # noqa: D102
        maps = self.body(images)
        return [maps[index] for index in self._taken]


class _Request(NamedTuple):
    """An encoder's name, taken apart."""

    base: str
    output_stride: int


def create_encoder(name: str, *, imagenet: bool = False) -> Encoder:
    """Build an encoder with the norms that timm gives it, at random or with timm's ImageNet weights.

    Raises:
        UserError: there is no such encoder, it cannot be dilated, or its weights cannot be had.
    """
    base, output_stride = _parse(name)
    dilation = {} if output_stride == 32 else {"output_stride": output_stride}
    if base == "mobilenetv2":
        return MobileNetV2(_build(name, "mobilenetv2_100", imagenet, **dilation), output_stride)
    if base == "hrnetv2":
        body = _build(
            name, "hrnet_w48", imagenet, features_only=True, feature_location="", out_indices=(1, 2, 3, 4), **dilation
        )
        return HRNetV2(body)
    timm_name, options = VARIANTS.get(base, (base, {}))
    return TimmEncoder(_build(name, timm_name, imagenet, features_only=True, **options, **dilation))


def _parse(name: str) -> _Request:
    match = re.fullmatch(r"(.+?)(?:_dilated(8|16))?", ALIASES.get(name, name))
    base, stride = match.groups() if match else (name, None)
    if not (base in VARIANTS or base in ("mobilenetv2", "hrnetv2") or timm.is_model(base)):
        near = difflib.get_close_matches(name, [*ENCODERS, *VARIANTS, *timm.list_models()], n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else "; `switchseg models` lists those of 2018 and MIT"
        raise UserError(f"unknown encoder {name!r}{hint}")
    return _Request(base, int(stride or 32))


def _build(name: str, timm_name: str, imagenet: bool, **options: Any) -> nn.Module:
    try:
        return timm.create_model(timm_name, pretrained=imagenet, **options)
    except (AssertionError, AttributeError, NotImplementedError, TypeError) as error:
        if "output_stride" in options:
            raise UserError(
                f"encoder {name!r} has no dilated form; leave out `_dilated{options['output_stride']}`"
            ) from error
        raise UserError(f"encoder {name!r} does not return feature maps ({error}); choose another one") from error
    except (OSError, RuntimeError) as error:
        if not imagenet:
            raise
        reason = str(error).splitlines()[0]
        raise UserError(
            f"no ImageNet weights for encoder {name!r}: {reason}; give a file or no `pretrained`"
        ) from error
