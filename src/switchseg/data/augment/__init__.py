"""Augmentation: transforms of image and label together, by name. Importing it loads neither torch nor OpenCV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from switchseg.errors import UserError
from switchseg.registry import Registry
from switchseg.settings import from_mapping

if TYPE_CHECKING:
    from switchseg.data.augment.transform import Transform

_KEY = "data.augment"
_TORCHVISION = "torchvision."

TRANSFORMS: Registry[type[Transform]] = Registry(
    "transform",
    {
        "scale": "switchseg.data.augment.geometry:Scale",
        "crop": "switchseg.data.augment.geometry:Crop",
        "flip": "switchseg.data.augment.geometry:Flip",
        "rotation": "switchseg.data.augment.warps:Rotation",
        "perspective": "switchseg.data.augment.warps:Perspective",
        "blur": "switchseg.data.augment.pixels:Blur",
        "noise": "switchseg.data.augment.pixels:Noise",
        "colour": "switchseg.data.augment.pixels:Colour",
        "erasing": "switchseg.data.augment.pixels:Erasing",
        "class_mix": "switchseg.data.augment.class_mix:ClassMix",
    },
)
"""The transforms by name; each is a frozen dataclass whose fields are its settings."""


def build(entries: Sequence[Mapping[str, Any]]) -> list[tuple[str, Transform]]:
    """Return the transforms that the entries of `data.augment` stand for, each with its name.

    Args:
        entries: Of each transform its `name`, and settings other than the default ones.

    Raises:
        UserError: a name or a setting is unknown, or a setting has a value that cannot be.
    """
    return [_build(entry) for entry in entries]


def _build(entry: Mapping[str, Any]) -> tuple[str, Transform]:
    settings = dict(entry)
    name = settings.pop("name", None)
    if not isinstance(name, str):
        raise UserError(f"{_KEY}: {dict(entry)} has no name; one of {', '.join(TRANSFORMS)} was expected")
    if name.startswith(_TORCHVISION):
        # Only where it is asked for: it loads torch, which `--help` does without.
        from switchseg.data.augment.torchvision import Torchvision

        return name, Torchvision.named(_KEY, name.removeprefix(_TORCHVISION), settings)
    TRANSFORMS.require(_KEY, name)
    return name, from_mapping(TRANSFORMS[name], settings, f"{_KEY}: {name}")
