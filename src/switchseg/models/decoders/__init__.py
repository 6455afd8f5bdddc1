"""The decoders by name; each is built as `DECODERS[name](maps, num_classes, norm)`. Importing it loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchseg.registry import Registry

if TYPE_CHECKING:
    from switchseg.models.blocks import Decoder

DECODERS: Registry[type[Decoder]] = Registry(
    "decoder",
    {
        "c1": "switchseg.models.decoders.c1:C1",
        "ppm": "switchseg.models.decoders.ppm:PPM",
        "upernet_lite": "switchseg.models.decoders.upernet:UPerNetLite",
        "upernet": "switchseg.models.decoders.upernet:UPerNet",
        "aspp": "switchseg.models.decoders.aspp:ASPP",
        "deeplabv3plus": "switchseg.models.decoders.deeplabv3plus:DeepLabV3Plus",
        "segformer": "switchseg.models.decoders.segformer:SegFormer",
        "unet": "switchseg.models.decoders.unet:UNet",
        "linear": "switchseg.models.decoders.linear:Linear",
    },
)


def parse_decoder(name: str, key: str = "decoder") -> tuple[str, bool]:
    """Return the key of `DECODERS` that a decoder's name stands for, and whether it asks for an auxiliary head.

    Raises:
        UserError: there is no such decoder; `key` is the setting that names it.
    """
    # From the end inwards: in the names of 2018 `_deepsup` follows `_bilinear`.
    base, auxiliary = name.removesuffix("_deepsup"), name.endswith("_deepsup")
    base = base.removesuffix("_bilinear")
    DECODERS.require(key, base)
    return base, auxiliary
