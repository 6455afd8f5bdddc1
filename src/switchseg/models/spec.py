"""What a model is, apart from its weights: the content of a model directory's config.json."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from switchseg.classes import Classes
from switchseg.preprocessing import RGB, Preprocessing


@dataclass(frozen=True)
class ModelSpec:
    """Everything that is needed to build a model again and to use it on an image."""

    encoder: str
    decoder: str
    norm: str
    classes: Classes
    preprocessing: Preprocessing = field(default=RGB)
    auxiliary: bool = False
    """Whether there is an auxiliary head, which answers in training mode only."""
    plugins: tuple[str, ...] = ()
    """What was imported where the model was made, to be named when something is missing; never imported from here."""

    @property
    def num_classes(self) -> int:
        """The number of channels of the logits."""
        return len(self.classes)

    def to_json(self) -> dict[str, Any]:
        """Return the content of config.json."""
        return {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "norm": self.norm,
            "auxiliary": self.auxiliary,
            "classes": self.classes.to_json(),
            "preprocessing": self.preprocessing.to_json(),
            **({"plugins": list(self.plugins)} if self.plugins else {}),
        }

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> ModelSpec:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: an entry is missing or is not of the kind that `to_json` writes.
        """
        # The file may come from anybody: a wrong type has to stop here, not somewhere inside of timm.
        for key, kind in (("encoder", str), ("decoder", str), ("norm", str), ("auxiliary", bool)):
            if not isinstance(entry[key], kind):
                raise TypeError(f"{key} must be a {kind.__name__}, but is {entry[key]!r}")
        classes = Classes.from_json(entry["classes"])
        _check_classes(classes)
        preprocessing = Preprocessing.from_json(entry["preprocessing"])
        _check_preprocessing(preprocessing)
        plugins = entry.get("plugins", [])
        if not isinstance(plugins, list) or not all(isinstance(name, str) for name in plugins):
            raise TypeError(f"plugins must be a list of names, but is {plugins!r}")
        names = entry["encoder"], entry["decoder"], entry["norm"]
        return cls(*names, classes, preprocessing, entry["auxiliary"], tuple(plugins))


def _check_classes(classes: Classes) -> None:
    if not classes.names:
        raise ValueError("classes is empty")
    for name, colour in zip(classes.names, classes.palette, strict=True):
        if not isinstance(name, str) or not all(isinstance(value, int) and 0 <= value <= 255 for value in colour):
            raise ValueError(f"a class must have a name and a colour of 0 .. 255, but one is {name!r} {colour}")


def _check_preprocessing(preprocessing: Preprocessing) -> None:
    numbers = (preprocessing.scale, *preprocessing.mean, *preprocessing.std)
    if (len(preprocessing.mean), len(preprocessing.std)) != (3, 3) or not all(
        isinstance(number, (int, float)) and math.isfinite(number) for number in numbers
    ):
        raise ValueError("preprocessing must have a scale, 3 means and 3 deviations")
    if not all(number > 0 for number in (preprocessing.scale, *preprocessing.std)):
        raise ValueError("preprocessing must have a scale and deviations above 0")
