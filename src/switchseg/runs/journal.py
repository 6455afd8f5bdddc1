"""log.jsonl: the one record of a run, a JSON object a line."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from switchseg import files, system
from switchseg.recorders import Event, Outcome, Recorder, Start

# Seconds since the epoch, tens of thousands of years from now: a damaged line may hold a number that no float can.
_END_OF_TIME = 1e12

FILE = "log.jsonl"
"""Its name in a run directory."""


class Journal(Recorder):
    """Appends events to a file; the events of a step that will be run again are taken out first.

    Args:
        path: the file.
        resume_step: the step that the run goes on with, or None for a new run. Events that will come again are dropped,
            so that the record of a run that was killed and started again reads like that of an undisturbed one.
    """

    def __init__(self, path: Path, resume_step: int | None = None) -> None:
        # Rewritten whole, not cut off: a crash in between leaves the old log, and damaged lines go at the same time.
        if path.exists():
            kept = [] if resume_step is None else _without_what_comes_again(read(path), resume_step)
            files.write_text(path, "".join(json.dumps(event) + "\n" for event in kept))
        # Appending, so that a line lands at the end even if something else has written meanwhile.
        self._file = path.open("ab", buffering=0)

    def write(self, event: str, step: int, **values: Any) -> None:
        """Append one event that happened after `step` steps."""
        line = json.dumps({"event": event, "step": step, "time": round(time.time(), 3), **values}) + "\n"
        with files.naming(self._file.name):
            # Past Python's buffer, which would keep what a full disk did not take, and fail again on closing.
            self._file.write(line.encode())

    def record(self, event: Event) -> None:
        """Append `event`."""
        self.write(event.kind, event.step, **event.values)

    def sync(self) -> None:
        """Return when everything written so far is on the disk."""
        with files.naming(self._file.name):
            system.sync(self._file.fileno())

    def close(self, outcome: Outcome = "finished") -> None:
        """Close the file."""
        self._file.close()


def open_journal(start: Start) -> Journal:
    """Return the journal of a training, without the steps that will come again."""
    return Journal(start.folder / FILE, start.step if start.resumed else None)


def read(path: Path) -> list[dict[str, Any]]:
    """Return the events of a journal; lines that are none, as a crash or a full disk leave them, are left out."""
    return list(events_of(path.read_bytes().splitlines()))


def events_of(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the event of every line that holds one, with its kind, its step and its time."""
    for line in lines:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(event, dict) and isinstance(event.get("event"), str) and _is_count(event.get("step")):
            time = event.get("time")
            if isinstance(time, (int, float)) and 0 <= time < _END_OF_TIME:
                yield event


def _without_what_comes_again(events: list[dict[str, Any]], step: int) -> list[dict[str, Any]]:
    """Return what a run keeps of its events that goes on from the checkpoint of `step`."""
    kept = [event for event in events if event["step"] <= step]
    checkpoints = [place for place, event in enumerate(kept) if (event["event"], event["step"]) == ("checkpoint", step)]
    # Of that step itself come again: an evaluation that the checkpoint says is due, and scores without an end. A run
    # that came to its end there is made longer.
    after = kept[checkpoints[-1] + 1 :] if checkpoints else []
    if any(event["event"] == "end" for event in after):
        return kept
    return kept[: len(kept) - len(after)] + [event for event in after if event["event"] in ("start", "resume")]


def _is_count(value: Any) -> bool:
    # 2^53 is where floats, which steps become in charts and other tools, stop telling neighbours apart.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
