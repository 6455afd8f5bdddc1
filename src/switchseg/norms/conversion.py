"""What `convert_norms` did with each norm of a model, and what it says of that."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Conversion:
    """What was exchanged, and what was left and why, by the norms' paths in the model."""

    to: str
    """The norm that there is now."""
    converted: dict[str, str] = field(default_factory=dict)
    """Path -> class of the norm that was there."""
    left: dict[str, str] = field(default_factory=dict)
    """Path -> why a norm stays that is not meant to be exchanged, such as a transformer's LayerNorm."""
    missed: dict[str, str] = field(default_factory=dict)
    """Path -> why a norm stays that one would expect to be exchanged."""

    def __str__(self) -> str:
        """Return all of it, a line for each reason."""
        lines = [f"{_norms(self.converted)} exchanged for {self.to}"]
        lines += [f"{len(paths)} left, {why}: {', '.join(paths)}" for why, paths in _by_reason(self.left | self.missed)]
        return "\n".join(lines)

    def warn(self, stacklevel: int = 2) -> None:
        """Warn, in one line, if norms were missed or nothing was exchanged; `stacklevel` as if the caller warned."""
        unsaid = self.missed if self.converted else self.left | self.missed
        reasons = "; ".join(f"{_some(paths)} ({why})" for why, paths in _by_reason(unsaid))
        if not self.converted:
            text = f"no norm was exchanged for {self.to}: {reasons or 'the model has none'}"
        elif reasons:
            text = f"{_norms(self.converted)} exchanged for {self.to}, but not {reasons}"
        else:
            return
        warnings.warn(text, stacklevel=stacklevel + 1)


def _norms(paths: Mapping[str, str]) -> str:
    return f"{len(paths)} norm{'' if len(paths) == 1 else 's'}"


def _by_reason(reasons: Mapping[str, str]) -> Iterable[tuple[str, list[str]]]:
    return [(why, [path for path in reasons if reasons[path] == why]) for why in dict.fromkeys(reasons.values())]


def _some(paths: list[str], count: int = 5) -> str:
    named = ", ".join(path or "the model itself" for path in paths[:count])
    return named if len(paths) <= count else f"{named} and {len(paths) - count} more"
