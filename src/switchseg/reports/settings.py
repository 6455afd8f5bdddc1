"""The settings of runs, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from switchseg.reports.runs import Run


def flat(mapping: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings under dotted keys."""
    found: dict[str, Any] = {}
    for key, value in mapping.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value}
    return found


def differing(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Return the settings that are not the same in all runs, with the value of each run; None where it has none."""
    configs = [flat(run.config) for run in runs]
    keys = dict.fromkeys(key for config in configs for key in config)
    values = {key: [config.get(key) for config in configs] for key in keys}
    return {key: row for key, row in values.items() if any(value != row[0] for value in row)}


def written(value: Any, between: str = ", ") -> str:
    """Write a value as people do: lists with commas, an entry of a list as its name and its settings."""
    if isinstance(value, dict):
        return " ".join(("" if key == "name" else f"{key} ") + written(part, " ") for key, part in value.items())
    return between.join(map(written, value)) if isinstance(value, list) else str(value)
