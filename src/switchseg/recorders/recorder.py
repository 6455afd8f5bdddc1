"""What a recorder is told, and in which words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from switchseg import files

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Outcome: TypeAlias = Literal["finished", "stopped", "failed"]
"""How a training ended: with its scores, by a signal, or by an error."""


_SAID_ONCE = ("start", "resume", "end")
"""The kinds of event that a session records once: their numbers make no curve."""


@dataclass(frozen=True)
class Start:
    """A training that begins or goes on."""

    folder: Path
    """The run directory; the resolved config.yaml is in it."""
    config: Mapping[str, Any]
    """The same config as plain values."""
    environment: Mapping[str, Any]
    """What the event `start` holds: versions, device, sizes."""
    step: int
    """Optimizer steps done. What was recorded of later ones will come again."""
    steps: int
    """Optimizer steps of the whole training."""
    resumed: bool

    def kept_name(self, file: str, make: Callable[[], str]) -> str:
        """Return the name that this run goes by elsewhere.

        Args:
            file: Where in the run directory the name is kept.
            make: Called for the name of a run that begins, or that was not recorded until now.
        """
        # A file in the run directory outlives the process, and goes where the directory is moved.
        path = self.folder / file
        if self.resumed and path.is_file():
            return path.read_text(encoding="utf-8").strip()
        name = make()
        files.write_text(path, name + "\n")
        return name


@dataclass(frozen=True)
class Event:
    """Something that happened after `step` steps, as a line of log.jsonl holds it (docs/architecture.md)."""

    kind: str
    step: int
    values: Mapping[str, Any]

    @property
    def scalars(self) -> dict[str, float]:
        """What changes from step to step, by paths such as `train/lr/encoder` and `shares/LAYER/mean/bn`."""
        if self.kind in _SAID_ONCE:
            return {}
        # The word `layers` of a record of shares says nothing in a path, so its content stands in its place.
        return {f"{self.kind}/{path}": number for path, number in _numbers(self.values.get("layers", self.values))}


class Recorder:
    """Takes the events of a training somewhere. Each method does nothing until a recorder overrides it.

    One is made from a `Start` on the first rank only, and called from one thread. If it raises anything, the user gets
    a warning and it is not called again; a UserError raised while it is made ends the training before its first step.
    """

    def record(self, event: Event) -> None:
        """Take one event."""

    def picture(self, name: str, pixels: npt.NDArray[np.uint8], step: int) -> None:
        """Take an RGB picture [H, W, 3] of what the model sees after `step` steps."""

    def advance(self, step: int) -> None:
        """Hear that a step is done. It is called after each of them, so it must cost next to nothing."""

    def say(self, line: str) -> None:
        """Take a line that was written for the user."""

    def sync(self) -> None:
        """Return when everything recorded so far will outlive the machine; a checkpoint waits for it."""

    def close(self, outcome: Outcome) -> None:
        """Hear how the training ended, and close what is open; nothing is called after it."""


def _numbers(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _numbers(value, f"{prefix}{key}/")
        # bool is an int to Python, but a flag is no curve.
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield prefix + key, value
