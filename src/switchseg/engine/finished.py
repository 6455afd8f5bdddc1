"""What a folder of results has been made from, so that a call leaves out what is done and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from switchseg import files
from switchseg.files import digest

SETTINGS = "predict.json"
RECORD = "predict.jsonl"
LEGEND = "legend.png"
SUBMISSION = "submission"

# What follows the name in the names of results; besides, there may be a folder NAME_labels of frames.
ENDINGS = ("_labels.png", "_labels.tif", "_overlay.png", "_shares.json", "_overlay.mp4")


class Finished:
    """The files that calls into the folder `out` have labelled: one line of OUT/predict.jsonl for each name.

    A result holds for what its source contains, not for what the source is called: two folders may have files of the
    same name, and a file may be replaced without a trace in its size and times.

    Args:
        out: The folder of the results.
        settings: What the results depend on besides their source; results of other settings do not hold.
    """

    def __init__(self, out: Path, settings: Any) -> None:
        self._out = out
        # A hash, for every line of the record repeats it; sorted, or the order of keys would make other settings.
        self._settings = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode(), digest_size=16).hexdigest()
        self._made = _read(out / RECORD)
        if self._made:  # without the lines that later ones replaced, and without one that a crash cut off
            files.write_text(out / RECORD, "".join(_line(name, *made) for name, made in self._made.items()))

    def holds(self, name: str, source: Path, needed: tuple[Path, ...]) -> bool:
        """Whether the results that go by `name`, of which there must be the files `needed`, are those of `source`."""
        made = self._made.get(name)
        if made is None or made[1] != self._settings or not all(path.is_file() for path in needed):
            return False
        # Last, for it is the one check that reads the whole file.
        return made[0] == digest(source)

    @contextlib.contextmanager
    def making(self, name: str, source: str | None) -> Iterator[None]:
        """Take the old results of `name` away, and note the new ones when they are complete.

        Args:
            name: What the results go by.
            source: The `digest` of what they are made from, taken before it was read.
        """
        # Before the first new file is written: after a crash between old and new files none may count as done.
        self.discard(name)
        try:
            yield
        # Ctrl-C too: half of the results would otherwise lie there without a line that says of what they are.
        except BaseException:
            _remove(self._out, name)
            raise
        if source is not None:
            self._made[name] = (source, self._settings)
            # Appended, not rewritten: of n files the record would be written n times. A line cut off is not read.
            with (self._out / RECORD).open("a", encoding="utf-8") as file:
                file.write(_line(name, source, self._settings))

    def discard(self, name: str) -> None:
        """Take away what an earlier call has made under `name`."""
        if self._made.pop(name, None) is not None:
            _remove(self._out, name)

    def is_result(self, path: Path) -> bool:
        """Whether `path` is one of the results, so that a folder can be labelled into itself again and again."""
        try:
            # Links are resolved on both sides, or a folder that is reached by two paths would label its own results.
            inside = Path(os.path.realpath(path)).relative_to(os.path.realpath(self._out))
        except ValueError:
            return False
        text, parent = inside.as_posix(), inside.parent.as_posix()
        names = {text.removesuffix(ending) for ending in ENDINGS if text.endswith(ending)}
        if text.startswith(f"{SUBMISSION}/"):
            names.add(inside.relative_to(SUBMISSION).with_suffix("").as_posix())
        if parent.endswith("_labels"):
            names.add(parent.removesuffix("_labels"))
        return bool(self._made) and (text in (LEGEND, RECORD, SETTINGS) or not names.isdisjoint(self._made))


def _remove(out: Path, name: str) -> None:
    frames = out / f"{name}_labels"
    paths = [*(out / f"{name}{ending}" for ending in ENDINGS), out / SUBMISSION / f"{name}.png"]
    for path in (*paths, *frames.glob("[0-9]*.png")):
        if os.path.isfile(path) or os.path.islink(path):  # not if its name is too long, or somebody's folder has it
            os.unlink(path)
    with contextlib.suppress(OSError):  # there is none, or somebody keeps other files in it
        frames.rmdir()


def _read(path: Path) -> dict[str, tuple[str, str]]:
    made: dict[str, tuple[str, str]] = {}
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return made
    for line in lines:
        # A line may have been cut off by a crash; the result that it told of is then made again.
        with contextlib.suppress(KeyError, RecursionError, TypeError, ValueError):
            entry = json.loads(line)
            made[str(entry["name"])] = (str(entry["source"]), str(entry["settings"]))
    return made


def _line(name: str, source: str, settings: str) -> str:
    return json.dumps({"name": name, "source": source, "settings": settings}) + "\n"
