"""What a model is called on the page: the names of papers, not those of files."""

from __future__ import annotations

import re

from switchseg.models.spec import ModelSpec

_DECODERS = {
    "aspp": "DeepLabV3",
    "c1": "one convolution",
    "deeplabv3plus": "DeepLabV3+",
    "linear": "linear head",
    "ppm": "PSPNet",
    "segformer": "SegFormer head",
    "unet": "U-Net",
    "upernet": "UPerNet",
    "upernet_lite": "UPerNet, small",
}

# How a name begins -> how papers write that.
# The first that fits is taken, so longer names stand before those that begin like them.
_FAMILIES = {
    "convnextv2": "ConvNeXt V2",
    "convnext": "ConvNeXt",
    "densenet": "DenseNet",
    "efficientnet": "EfficientNet",
    "hrnet": "HRNet",
    "mobilenetv2": "MobileNetV2",
    "mobilenetv3": "MobileNetV3",
    "regnetx": "RegNetX",
    "regnety": "RegNetY",
    "resnext": "ResNeXt",
    "resnet": "ResNet",
    "swin": "Swin",
    "vit": "ViT",
}


def model_title(spec: ModelSpec) -> str:
    """Return, for example, "EfficientNet-Lite0 + DeepLabV3+, 11 classes"."""
    decoder = re.sub(r"(_bilinear)?(_deepsup)?$", "", spec.decoder)
    return f"{_encoder(spec.encoder)} + {_DECODERS.get(decoder, decoder)}, {len(spec.classes)} classes"


def _encoder(name: str) -> str:
    base = re.sub(r"(_?dilated\d*)?$", "", name.removeprefix("tf_"))
    family = next((known for known in _FAMILIES if base.startswith(known)), None)
    if family is None:
        return base
    rest = [part.capitalize() for part in base.removeprefix(family).split("_") if part]
    return "-".join([_FAMILIES[family], *rest])
