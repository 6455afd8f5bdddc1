"""A whole data set of scenes, from a seed, in ADE20K's layout."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import cv2

from switchseg import files
from switchseg.data.order import generator
from switchseg.data.scenes.classes import SCENE_CLASSES
from switchseg.data.scenes.scene import make_scene
from switchseg.errors import UserError
from switchseg.system import START_METHOD

_JPEG_QUALITY = 92
_MARK = "scenes.json"  # says what was generated, so that the same call again has nothing to do
_VERSION = 1  # goes up whenever the same seed gives other pixels


class Job(NamedTuple):
    """One scene to be written."""

    folder: Path
    split: str
    """`training` or `validation`."""
    number: int
    seed: int
    style_spread: float = 1.0
    """See `make_scene`."""

    @property
    def name(self) -> str:
        """The stem of both files."""
        return f"scene_{'train' if self.split == 'training' else 'val'}_{self.number:06d}"


def make_scenes(folder: Path, images: int, seed: int, workers: int, style_spread: float = 1.0) -> Iterator[Job]:
    """Write `images` training scenes and a fifth as many for validation; yield each as it is done.

    The layout is {images,annotations}/{training,validation}/ with training.odgt, validation.odgt, classes.json and
    classes.txt. The same seed gives the same files, and the first scenes do not depend on how many follow. What an
    earlier call left in `folder` is kept if it is the same data set, whole, and replaced otherwise.

    Raises:
        UserError: the folder holds something else, or cannot be written to.
    """
    counts = {"training": images, "validation": max(1, images // 5)}
    made: dict[str, float] = {"images": images, "seed": seed, "version": _VERSION}
    if style_spread != 1:  # what was made before there was a choice does not name it
        made["style_spread"] = style_spread
    jobs = [
        Job(folder, split, number, seed, style_spread) for split, count in counts.items() for number in range(count)
    ]
    try:
        if _earlier(folder) == {**made, "complete": True}:
            return
        _prepare(folder, list(counts))
        # Before the first image, so that a broken call is known for one and made again.
        files.write_json(folder / _MARK, {**made, "complete": False})
        files.write_json(folder / "classes.json", SCENE_CLASSES.to_json())
        files.write_text(folder / "classes.txt", "\n".join(SCENE_CLASSES.names) + "\n")
        lines: dict[str, list[str]] = {split: [] for split in counts}
        # Not forked: a progress bar, among others, runs threads.
        with ProcessPoolExecutor(workers, multiprocessing.get_context(START_METHOD)) as pool:
            for job, record in zip(jobs, pool.map(_write, jobs, chunksize=4), strict=True):
                lines[job.split].append(json.dumps(record))
                yield job
        for split in counts:
            files.write_text(folder / f"{split}.odgt", "\n".join(lines[split]) + "\n")
        files.write_json(folder / _MARK, {**made, "complete": True})
    except OSError as error:
        raise UserError(f"{error.filename or folder}: cannot be written ({error.strerror})") from None


def _earlier(folder: Path) -> dict[str, object] | None:
    """Return what an earlier call noted in `folder`, None if nothing is there."""
    if not folder.exists() or not any(folder.iterdir()):
        return None
    try:
        noted: dict[str, object] = json.loads((folder / _MARK).read_text())
    except (FileNotFoundError, ValueError):
        raise UserError(f"{folder}: holds something else than generated scenes; name another folder") from None
    return noted


def _prepare(folder: Path, splits: list[str]) -> None:
    """Make empty folders for the images and annotations."""
    for kind in ("images", "annotations"):
        shutil.rmtree(folder / kind, ignore_errors=True)
        for split in splits:
            (folder / kind / split).mkdir(parents=True)


def _write(job: Job) -> dict[str, object]:
    """Write one scene and return its record for the list."""
    cv2.setNumThreads(0)
    # Each scene from a generator of its own: any number of processes gives the same files.
    scene = make_scene(generator(job.seed, job.split == "validation", job.number), job.style_spread)
    record = {
        "fpath_img": f"images/{job.split}/{job.name}.jpg",
        "fpath_segm": f"annotations/{job.split}/{job.name}.png",
        "width": scene.image.shape[1],
        "height": scene.image.shape[0],
    }
    _, jpeg = cv2.imencode(".jpg", scene.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    _, png = cv2.imencode(".png", scene.annotation)
    (job.folder / str(record["fpath_img"])).write_bytes(jpeg.tobytes())
    (job.folder / str(record["fpath_segm"])).write_bytes(png.tobytes())
    return record
