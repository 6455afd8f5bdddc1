"""What a model is, apart from its weights: the content of a model directory's config.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from switchseg.data.classes import Classes
from switchseg.data.preprocessing import RGB, Preprocessing


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
        }

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> ModelSpec:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: an entry is missing or is not of the kind that `to_json` writes.
        """
        for key, kind in (("encoder", str), ("decoder", str), ("norm", str), ("auxiliary", bool)):
            if not isinstance(entry[key], kind):
                raise TypeError(f"{key} must be a {kind.__name__}, not {entry[key]!r}")
        return cls(
            entry["encoder"],
            entry["decoder"],
            entry["norm"],
            Classes.from_json(entry["classes"]),
            Preprocessing.from_json(entry["preprocessing"]),
            entry["auxiliary"],
        )
