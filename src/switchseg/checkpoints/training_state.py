"""The state of a training on disk: checkpoints/step_N.pt and the pointer `last`.

Both are replaced whole, the pointer after the file it names, and older files go last of all: whenever the process or
the machine dies, `latest` finds a complete checkpoint if there ever was one.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import torch

from switchseg import files
from switchseg.errors import UserError, first_line
from switchseg.models.weights import load_torch

_NAME = re.compile(r"step_(\d+)\.pt")


def save(folder: Path, state: dict[str, Any], step: int, keep: int) -> Path:
    """Write `state` (tensors, numbers, strings, lists, dicts) as step_N.pt and keep the last `keep` of them.

    Raises:
        UserError: the disk is full or cannot be written to; the earlier checkpoints are as they were.
    """
    path = folder / f"step_{step}.pt"
    # Serialised in memory first: torch's own file writer hides why a write failed.
    content = io.BytesIO()
    torch.save(state, content)
    # For the message alone, and asked before writing: on a full disk the user wants to know what is left.
    previous = latest(folder)
    try:
        # First the state, then the pointer: between the two the pointer names the one before, which is whole.
        with files.replacing(path) as file:
            file.write(content.getbuffer())
        files.write_text(folder / "last", path.name + "\n")
    except OSError as error:
        kept = f"the last checkpoint is {previous}" if previous else "there is no checkpoint yet"
        raise UserError(f"{path}: cannot be written ({error.strerror}); {kept}; free space and start again") from error
    _remove_older(folder, keep, current=path)
    return path


def latest(folder: Path) -> Path | None:
    """Return the newest complete checkpoint of `folder`, or None."""
    try:
        name = (folder / "last").read_text(encoding="utf-8").strip()
    except (FileNotFoundError, UnicodeDecodeError):
        name = ""
    if _NAME.fullmatch(name) and (folder / name).is_file():
        return folder / name
    # Killed between a checkpoint and its pointer, or the pointer is damaged. Whatever has its name is complete, since
    # files get theirs last. By number: as text step_900 would come after step_1000.
    return max(_all(folder), key=step_of, default=None)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint onto the CPU. Nothing in it is executed.

    Raises:
        UserError: the file is missing, damaged or no checkpoint of ours.
    """
    try:
        # Weights only: a checkpoint from elsewhere could run anything if it were unpickled freely.
        state = load_torch(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such checkpoint") from None
    except Exception as error:  # whatever a damaged file drives torch's reader to, assertions included
        raise UserError(f"{path}: not a checkpoint that can be read safely ({first_line(error)})") from None
    if not isinstance(state, dict) or "step" not in state:
        raise UserError(f"{path}: not a training checkpoint; expected one of RUN/checkpoints/step_N.pt")
    return state


def step_of(path: Path) -> int:
    """Return N of step_N.pt."""
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise ValueError(f"{path} is not named step_N.pt")
    return int(match[1])


def _all(folder: Path) -> list[Path]:
    return [path for path in folder.glob("step_*.pt") if _NAME.fullmatch(path.name)]


def _remove_older(folder: Path, keep: int, current: Path) -> None:
    for path in sorted(_all(folder), key=step_of)[:-keep]:
        # Steps may be lower than those of older files, after a training was begun anew from an earlier checkpoint.
        if path != current:
            path.unlink(missing_ok=True)
    for leftover in folder.glob(".*.part"):  # of a save that was killed
        leftover.unlink(missing_ok=True)
