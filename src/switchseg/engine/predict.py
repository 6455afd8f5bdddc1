"""Labels files: images, folders, patterns and videos in, label maps and pictures out."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from switchseg import files
from switchseg.checkpoints.model_directory import CONFIG, WEIGHTS
from switchseg.data.images import read_image
from switchseg.engine.ahead import read_ahead
from switchseg.engine.finished import LEGEND, SETTINGS, Finished
from switchseg.engine.inference import Pixels
from switchseg.engine.inputs import Input, check_nothing_is_lost
from switchseg.engine.pictures import legend, save
from switchseg.engine.prediction import Prediction, write_prediction
from switchseg.engine.predictor import Predictor
from switchseg.engine.progress import progress
from switchseg.engine.raster import label_raster
from switchseg.engine.seams import Seams, find_seams
from switchseg.engine.video import label_video
from switchseg.errors import UserError

_OF_ONE_NAME = (errno.EEXIST, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR)
"""Errors of writing that come from what a result is called, and not from the disk."""

_Found: TypeAlias = "tuple[Input, str | None, Pixels]"
"""An image, the digest of what it was read from, and its pixels."""


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
    check_nothing_is_lost(inputs, out, submission)
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


def _labelled(
    predictor: Predictor, found: Sequence[_Found], failures: dict[str, str]
) -> Iterator[tuple[_Found, Prediction]]:
    """Yield images that share a pass with what the model says of them; of others `failures` is told why not."""
    try:
        predictions = predictor.batch([pixels for *_, pixels in found], [str(each.path) for each, *_ in found])
    except UserError as error:
        if len(found) == 1:
            failures[str(found[0][0].path)] = str(error)
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
