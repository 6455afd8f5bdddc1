"""Advice on a data set: what was seen, and the settings of dataset.yaml that would mend it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml

from switchseg.classes import Classes
from switchseg.data.findings import Findings

MOST_NAMED = 10
UNSMOOTHED = "Export the masks without smoothing; resize them by the nearest pixel."


class Reading(NamedTuple):
    """One way to read the labels."""

    settings: dict[str, Any]
    """Keys of dataset.yaml."""
    meaning: str
    """What that takes the labels for."""

    def __str__(self) -> str:
        lines = "\n".join(yaml_line(key, value) for key, value in self.settings.items())
        return f"{lines}  # {self.meaning}"


class Advice(NamedTuple):
    """A likely mistake."""

    seen: str
    """What was found, in sentences."""
    readings: tuple[Reading, ...] = ()
    """The settings that would mend it, each for another reading of the labels, the likeliest first."""
    remedy: str = ""
    """What to do where no setting mends it, or besides."""
    stops: bool = False
    """Whether a training would stop at it, whether or not every file can be read by itself."""
    optional: bool = False
    """Whether the labels may well be meant as they are."""

    @property
    def setting(self) -> str:
        """What would mend it, as text."""
        return "\nor\n".join([*map(str, self.readings), *([self.remedy] if self.remedy else [])])


def yaml_line(key: str, value: Any, width: int = 1 << 16) -> str:
    """Return `key: value` as YAML; lists and mappings in brackets."""
    # Dumped as a list of one: a scalar alone would end in a document mark.
    text: str = yaml.safe_dump([value], default_flow_style=True, width=width, allow_unicode=True)
    return f"{key}: {text.strip()[1:-1]}"


def is_unnamed(classes: Classes) -> bool:
    """Return whether nobody has given these classes names."""
    return classes.names == Classes.unnamed(len(classes)).names


def listed(things: Sequence[object]) -> str:
    """Write the first of many things, and how many more there are."""
    shown = ", ".join(map(str, things[:MOST_NAMED]))
    return shown if len(things) <= MOST_NAMED else f"{shown} and {len(things) - MOST_NAMED} more"


def share(found: Findings, value: int) -> float:
    """Return the fraction of the pixels that have a stored value."""
    return found.values[value] / max(1, found.values.total())
