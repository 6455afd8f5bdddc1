"""A dataset.yaml that follows the advice about a data set, as far as settings can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from switchseg.classes import Classes
from switchseg.data.advice import is_unnamed, yaml_line
from switchseg.data.described import SETTINGS
from switchseg.data.description import Description
from switchseg.data.findings import Findings
from switchseg.data.labels import LabelMap, Meaning
from switchseg.data.likely_mistakes import advise
from switchseg.labels import IGNORED

_MOST_ROUNDS = 5
_EXCLUSIVE = ("label_map", "reduce_zero_label", "colour_masks")


def propose(found: Findings, meaning: Meaning, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that the likeliest readings lead to.

    Args:
        found: what was found in all labels.
        meaning: what the labels are taken for now.
        settings: what dataset.yaml says now, classes of a class file included.
    """
    current = meaning
    # Each setting can bring another mistake to light; two that call for each other would go round for ever.
    for _ in range(_MOST_ROUNDS):
        mending = next((a for a in advise(found, current) if a.readings and not a.optional), None)
        if mending is None:
            break
        settings = combined(settings, mending.readings[0].settings)
        current = meaning_with(settings, meaning)
    if "classes" not in settings and is_unnamed(meaning.classes):
        # At least two, for a description with one class describes nothing.
        count = max(2, 1 + max(found.class_pixels(current).nonzero()[0], default=0))
        settings = {"classes": list(Classes.unnamed(int(count)).names), **settings}
    return settings


def combined(settings: dict[str, Any], further: dict[str, Any]) -> dict[str, Any]:
    """Return settings with others on top, without those that contradict them; what is ignored stays ignored."""
    replaced = {key for key in _EXCLUSIVE if any(other in further for other in _EXCLUSIVE)}
    if "classes" in further:
        replaced.add("palette")
    merged = {**{key: value for key, value in settings.items() if key not in replaced}, **further}
    still = _ignored_still(settings, merged)
    merged["ignore"] = still + [value for value in further.get("ignore", []) if value not in still]
    return {key: value for key, value in merged.items() if key != "ignore" or value}


def _ignored_still(settings: dict[str, Any], merged: dict[str, Any]) -> list[Any]:
    """Return what the settings ignore, as the merged ones write it, but for the colours that are a class's now."""
    before = settings.get("ignore", [])
    if not merged.get("colour_masks"):
        return [] if settings.get("colour_masks") else before
    if not settings.get("colour_masks"):
        # A grey file among colour masks is read as colours whose channels are equal.
        before = [[value] * 3 for value in before if value <= IGNORED]
    return [colour for colour in before if colour not in merged.get("palette", [])]


def meaning_with(settings: dict[str, Any], meaning: Meaning) -> Meaning:
    """Return what labels mean by these settings, for data whose labels are taken for `meaning` without them."""

    def usual(classes: Classes) -> LabelMap:
        return meaning.label_map if classes.names == meaning.classes.names else LabelMap.identity(classes)

    return Description(**settings).meaning(Path(SETTINGS), meaning.classes, usual)


def written(settings: dict[str, Any], remarks: list[str]) -> str:
    """Return the text of a dataset.yaml, with remarks at its head."""
    head = "".join(f"# {' '.join(remark.split())}\n" for remark in remarks)
    order = sorted(settings, key=lambda key: key != "classes")
    return head + "".join(f"{yaml_line(key, settings[key], width=100)}\n" for key in order)
