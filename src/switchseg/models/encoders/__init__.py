"""The encoders by name: those of 2018, of MIT and of timm. Importing it loads no torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from switchseg.errors import UserError
from switchseg.registry import Registry

if TYPE_CHECKING:
    from switchseg.models.blocks import Encoder

ENCODERS: Registry[Callable[[int, bool], Encoder]] = Registry(
    "encoder",
    {
        "mobilenetv2": "switchseg.models.encoders.timm_encoder:mobilenetv2",
        "hrnetv2": "switchseg.models.encoders.timm_encoder:hrnetv2",
    },
)
"""Name -> function of the output stride (8, 16 or 32) and whether to begin with ImageNet's weights; for what timm has
not. Every timm name is understood besides, and each with `_dilated8` or `_dilated16`."""

ALIASES = {
    "resnet18dilated": "resnet18s_dilated8",
    "resnet34dilated": "resnet34s_dilated8",
    "resnet50dilated": "resnet50s_dilated8",
    "resnet101dilated": "resnet101s_dilated8",
    "resnet152dilated": "resnet152s_dilated8",
    "mobilenetv2dilated": "mobilenetv2_dilated8",
}

LISTED = (
    *(f"resnet{depth}{suffix}" for depth in (18, 34, 50, 101, 152) for suffix in ("", "_dilated8", "_dilated16")),
    *ALIASES,
    "resnext101",
    "hrnetv2",
)
"""The names of 2018 and of MIT, which `switchseg models` lists."""

_SUFFIX = re.compile(r"_dilated(8|16)$")
# A network of timm, and after a dot the weights that it is to begin with.
_TIMM_NAME = re.compile(r"[A-Za-z0-9]\w*(\.[\w-]+)?", re.ASCII)


def parse_encoder(name: str, key: str = "encoder") -> tuple[str, int]:
    """Return the name of the network that an encoder's name stands for, and the stride of its last map.

    Whether timm has a network of that name is not asked here, since that loads torch: see
    `timm_encoder.require_encoder`.

    Raises:
        UserError: it is no name of an encoder; `key` is the setting that names it.
    """
    full = ALIASES.get(name, name)
    base, suffix = _SUFFIX.sub("", full), _SUFFIX.search(full)
    if base not in ENCODERS and (not _TIMM_NAME.fullmatch(base) or "_dilated" in base):
        raise UserError(
            f"{key}: {name!r} is no name of an encoder; a network of `switchseg models` or of timm was expected, "
            "with or without _dilated8 or _dilated16"
        )
    return base, int(suffix[1]) if suffix else 32
