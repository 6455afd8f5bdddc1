"""The files to label: what names of files, folders and patterns stand for, and what the results of each are called."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from switchseg.data.images import SUFFIXES
from switchseg.data.paths import describe_suffixes, files_below, has_suffix
from switchseg.data.rasters import is_raster
from switchseg.engine.finished import LEGEND, SETTINGS, SUBMISSION, Finished
from switchseg.engine.video import VIDEO_SUFFIXES
from switchseg.errors import UserError

_SUFFIXES = (*SUFFIXES, *VIDEO_SUFFIXES)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Input:
    """A file to label, and the path below the output folder, without suffix, that its results go by."""

    path: Path
    name: str

    @cached_property
    def is_raster(self) -> bool:
        """Whether it is a TIFF with a georeference, or no picture."""
        return is_raster(self.path)

    @property
    def is_video(self) -> bool:
        """Whether the suffix is that of a video."""
        return self.path.suffix.lower() in VIDEO_SUFFIXES

    def results(self, out: Path, submission: bool = False) -> tuple[Path, ...]:
        """Return the files that are written of it, but for the frames of a video."""
        kinds: tuple[str, ...]
        if self.is_video or self.is_raster:
            kinds, submission = ("_overlay.mp4" if self.is_video else "_labels.tif",), False
        else:
            kinds = ("_labels.png", "_overlay.png")
        paths = tuple(out / f"{self.name}{kind}" for kind in (*kinds, "_shares.json"))
        return (*paths, out / SUBMISSION / f"{self.name}.png") if submission else paths


def find_inputs(arguments: Iterable[str | os.PathLike[str]], out: Path | None = None) -> list[Input]:
    """Return the images and videos that files, folders (at any depth) and glob patterns stand for, each once.

    In folders, links are followed once, hidden files left out, and files of other suffixes counted in a warning.
    Results keep the folders below an argument; of files that would share a name, the later ones keep their suffix
    or get a number. What an earlier call has written into the folder `out` is left out.

    Raises:
        UserError: a folder or a pattern stands for no file, or none of the files is there.
    """
    inputs: list[Input] = []
    taken: set[str] = set()
    seen: set[str] = set()
    finished = Finished(out, None) if out is not None else None
    for argument in arguments:
        for path, below in _expand(os.fspath(argument), finished):
            if finished and finished.is_result(path):
                continue
            # A link and its target, or one folder named twice, would label the same file twice.
            real = os.path.realpath(path)
            if real in seen:
                continue
            seen.add(real)
            stem = below.with_suffix("").as_posix()
            # As many numbers as names are taken, and one more: one of them is always free.
            candidates = [stem, below.as_posix(), *(f"{stem}-{number}" for number in range(2, len(taken) + 3))]
            name = next(candidate for candidate in candidates if candidate not in taken)
            taken.add(name)
            inputs.append(Input(path, name))
    # One of many that is missing is reported by whoever labels them; with all of them missing there is nothing to do.
    if inputs and not any(os.path.exists(each.path) for each in inputs):
        others = f" (nor any of the other {len(inputs) - 1})" if len(inputs) > 1 else ""
        raise UserError(f"{inputs[0].path}: no such file{others}")
    return inputs


def check_nothing_is_lost(inputs: Sequence[Input], out: Path, submission: bool) -> None:
    """Raise a UserError if a result would take the place of a file to be labelled, or of one that is no result."""
    targets = [out / LEGEND, *(path for each in inputs for path in each.results(out, submission))]
    real = {os.path.realpath(path) for path in targets}
    for each in inputs:
        if os.path.realpath(each.path) in real:
            raise UserError(f"{each.path}: would be overwritten by a result of the same name; pass another --out")
    if (out / SETTINGS).exists():
        return  # an earlier call has written here, and may have been stopped before it took note of a file
    for path in targets:
        if os.path.isfile(path):
            raise UserError(f"{path}: is no result of `predict` and would be overwritten; pass another --out")


def _expand(argument: str, finished: Finished | None) -> Iterator[tuple[Path, Path]]:
    """Yield the files that one argument stands for, each with its path below the argument's folder."""
    if not argument:
        raise UserError("'': an empty name; the name of an image, folder or video was expected")
    path = Path(os.path.expanduser(argument))
    if path.is_dir():
        files = sorted(files_below(path))
        found = [each for each in files if has_suffix(each, _SUFFIXES)]
        if not found:
            there = f"; there is {describe_suffixes(files)}" if files else ""
            raise UserError(f"{path}: no images or videos in this folder ({' '.join(_SUFFIXES)}){there}")
        others = [each for each in files if not has_suffix(each, _SUFFIXES)]
        if left_out := [each for each in others if not (finished and finished.is_result(path / each))]:
            _log.warning("%s: left out what is no image or video by its suffix: %s", path, describe_suffixes(left_out))
        yield from ((path / each, Path(each)) for each in found)
    # A file may be called `a[1].jpg`: what exists is not a pattern.
    elif path.exists() or not glob.has_magic(argument):
        yield path, Path(path.name)
    else:
        matches = sorted(map(Path, glob.glob(os.path.expanduser(argument), recursive=True)))
        if not matches:
            raise UserError(f"{argument}: no file matches this pattern")
        yield from ((each, Path(each.name)) for each in matches if not each.is_dir())
