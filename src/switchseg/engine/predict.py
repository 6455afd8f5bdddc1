"""Labels files: images, folders, patterns and videos in, label maps and pictures out."""

from __future__ import annotations

import contextlib
import errno
import glob
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

from switchseg import files
from switchseg.checkpoints.model_directory import CONFIG, WEIGHTS
from switchseg.data.images import SUFFIXES, read_image
from switchseg.data.paths import describe_suffixes, files_below, has_suffix
from switchseg.data.rasters import is_raster
from switchseg.engine.ahead import read_ahead
from switchseg.engine.finished import LEGEND, SUBMISSION, Finished
from switchseg.engine.inference import Pixels
from switchseg.engine.pictures import label_image, legend, save, submission_image
from switchseg.engine.predictor import Prediction, Predictor
from switchseg.engine.progress import progress
from switchseg.engine.raster import label_raster
from switchseg.engine.seams import Seams, find_seams
from switchseg.engine.video import VIDEO_SUFFIXES, label_video
from switchseg.errors import UserError

SETTINGS = "predict.json"

_SUFFIXES = (*SUFFIXES, *VIDEO_SUFFIXES)
_OF_ONE_NAME = (errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR)
"""Errors of writing that come from what a result is called, and not from the disk."""
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


_Found: TypeAlias = "tuple[Input, str | None, Pixels]"
"""An image, the digest of what it was read from, and its pixels."""


def find_inputs(arguments: Iterable[str | os.PathLike[str]]) -> list[Input]:
    """Return the images and videos that files, folders (at any depth) and glob patterns stand for, each once.

    In folders, links are followed once, hidden files left out, and files of other suffixes counted in a warning.
    Results keep the folders below an argument; of files that would share a name, the later ones keep their suffix
    or get a number.

    Raises:
        UserError: an argument stands for no file.
    """
    inputs: list[Input] = []
    taken: set[str] = set()
    seen: set[str] = set()
    for argument in arguments:
        for path, below in _expand(os.fspath(argument)):
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
    return inputs


def predict(
    predictor: Predictor,
    inputs: Sequence[Input],
    out: Path,
    *,
    submission: bool = False,
    resume: bool = True,
    quiet: bool = False,
    seams: Callable[[Seams], object] = lambda seams: None,
) -> dict[str, str]:
    """Write NAME_labels.png (class index), NAME_overlay.png and NAME_shares.json of every image, and legend.png.

    A video gets NAME_overlay.mp4 and a folder NAME_labels of one label map per frame, a GeoTIFF raster NAME_labels.tif
    in place of the pictures. A file that cannot be labelled is left out and the others go on.

    Args:
        predictor: The model and its rule.
        inputs: What `find_inputs` returned.
        out: The folder for the results.
        submission: Also write submission/NAME.png with class + 1 (16 bits beyond 255 classes), as the ADE20K server
            takes it.
        resume: Leave out what an earlier call with the same model and rule has finished.
        quiet: Show no progress.
        seams: Is told of each image and raster where windows meet in its labels.

    Returns:
        For each file that failed, by path, why.
    """
    settings = _settings(predictor, submission)
    _check_nothing_is_lost(inputs, out, submission)
    files.write_json(out / SETTINGS, settings)
    finished = Finished(out, settings)
    save(legend(predictor.classes), out / LEGEND)
    waiting = [
        each for each in inputs if not (resume and finished.holds(each.name, each.path, each.results(out, submission)))
    ]
    others = [each for each in waiting if each.is_video or each.is_raster]
    images = [each for each in waiting if not (each.is_video or each.is_raster)]
    step = predictor.compute.images_per_batch
    failures: dict[str, str] = {}
    done = len(inputs) - len(waiting)
    with progress("predict", len(inputs), "files", shown=not quiet, before=done) as count:
        for group, reading in read_ahead(_read, [images[i : i + step] for i in range(0, len(images), step)]):
            found, failed = reading.result()
            for (each, source, _), prediction in _labelled(predictor, found, failed):
                with _told(each, failed), finished.making(each.name, source):
                    _write(out, each, write_prediction(prediction, out, each.name, submission))
                seams(find_seams(prediction.labels, predictor.rule, predictor.model))
            failures |= failed
            for each in group:
                if str(each.path) in failed:
                    # Its old results are those of a file that is no more.
                    finished.discard(each.name)
            count(len(group))
        for each in others:
            with _told(each, failures), finished.making(each.name, files.digest(each.path)):
                if each.is_video:
                    shares = label_video(predictor, each.path, out / each.name)
                else:
                    shares, found_seams = label_raster(predictor, each.path, out / f"{each.name}_labels.tif")
                    seams(found_seams)
                _write(out, each, shares)
            count(1)
    return failures


def without_results(inputs: Sequence[Input], out: Path) -> list[Input]:
    """Return the inputs without those that an earlier call has written into the folder `out`."""
    finished = Finished(out, None)
    return [each for each in inputs if not finished.is_result(each.path)]


def write_prediction(prediction: Prediction, out: Path, name: str, submission: bool = False) -> dict[str, float]:
    """Write NAME_labels.png and NAME_overlay.png and return the share of each class that occurs."""
    save(label_image(prediction.labels, prediction.classes), out / f"{name}_labels.png")
    save(prediction.overlay(), out / f"{name}_overlay.png")
    if submission:
        save(submission_image(prediction.labels, prediction.classes), out / SUBMISSION / f"{name}.png")
    return {key: round(share, 6) for key, share in prediction.shares.items()}


def _labelled(
    predictor: Predictor, found: Sequence[_Found], failures: dict[str, str]
) -> Iterator[tuple[_Found, Prediction]]:
    """Yield images that share a pass with what the model says of them; of others `failures` is told why not."""
    try:
        predictions = predictor.batch([pixels for _, _, pixels in found])
    except UserError as error:
        if len(found) == 1:
            path = str(found[0][0].path)
            failures[path] = f"{path}: {error}"
            return
        # One by one: what the network makes of one image is no fault of those beside it.
        for each in found:
            yield from _labelled(predictor, [each], failures)
    else:
        yield from zip(found, predictions, strict=True)


@contextlib.contextmanager
def _told(each: Input, failures: dict[str, str]) -> Iterator[None]:
    """Note why a file cannot be labelled, unless the reason would stop all others too."""
    try:
        yield
    except UserError as error:
        failures[str(each.path)] = str(error)
    except OSError as error:
        if error.errno not in _OF_ONE_NAME:
            raise
        failures[str(each.path)] = f"{each.path}: its result {error.filename} cannot be written ({error.strerror})"


def _read(group: Sequence[Input]) -> tuple[list[_Found], dict[str, str]]:
    """Return the images of a group, each with what it was read from, and why the others cannot be read."""
    found: list[_Found] = []
    unreadable: dict[str, str] = {}
    for each in group:
        try:
            # The hash first: if the file changes in between, its result does not hold and is made again.
            found.append((each, files.digest(each.path), read_image(each.path)))
        except UserError as error:
            unreadable[str(each.path)] = str(error)
    return found, unreadable


def _expand(argument: str) -> Iterator[tuple[Path, Path]]:
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
        if left_out := [each for each in files if not has_suffix(each, _SUFFIXES)]:
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


def _check_nothing_is_lost(inputs: Sequence[Input], out: Path, submission: bool) -> None:
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


def _settings(predictor: Predictor, submission: bool) -> dict[str, Any]:
    rule = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(predictor.rule).items()}
    # By content too: a run directory keeps its path when its model becomes a better one.
    model = {name: files.digest(predictor.path / name) for name in (CONFIG, WEIGHTS)}
    path = os.path.realpath(predictor.path)
    return {
        "model": {"path": path, **model},
        "rule": rule,
        "precision": predictor.compute.precision,
        "submission": submission,
    }


def _write(out: Path, each: Input, shares: dict[str, float]) -> None:
    files.write_json(out / f"{each.name}_shares.json", shares)
