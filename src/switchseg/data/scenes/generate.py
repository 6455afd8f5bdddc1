"""One scene from a seed, and a whole data set of them in ADE20K's layout."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from switchseg import files
from switchseg.data.order import generator
from switchseg.data.scenes.canvas import Canvas
from switchseg.data.scenes.classes import SCENE_CLASSES
from switchseg.data.scenes.room import room
from switchseg.data.scenes.street import street
from switchseg.data.scenes.textures import noise
from switchseg.errors import UserError
from switchseg.system import START_METHOD

_SUPERSAMPLING = 2
_UNLABELLED = 0  # in the files; class k is stored as k + 1
_JPEG_QUALITY = 92
_MARK = "scenes.json"  # says what was generated, so that the same call again has nothing to do
_VERSION = 1  # goes up whenever the same seed gives other pixels


class Scene(NamedTuple):
    """A generated picture."""

    image: np.ndarray
    """uint8 RGB [H, W, 3]."""
    annotation: np.ndarray
    """uint8 [H, W]: class k as k + 1, 0 at some edges where nobody would have labelled."""


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


def make_scene(rng: np.random.Generator, style_spread: float = 1.0) -> Scene:
    """Return a street or a room, 120 to 220 pixels at its short side.

    Args:
        rng: The same state gives the same scene.
        style_spread: How much exposure, colour cast and contrast differ between scenes: the power of what each is
            multiplied with, so 0 gives all one style and 1 that of ordinary cameras.
    """
    short = int(rng.integers(120, 221))
    long = int(short * rng.uniform(1.0, 1.75))
    height, width = (long, short) if rng.random() < 0.25 else (short, long)
    draw: Callable[[np.random.Generator, int, int], Canvas] = street if rng.random() < 0.55 else room
    # Polygons are painted with hard edges: averaging four pixels makes those of a photograph.
    canvas = draw(rng, height * _SUPERSAMPLING, width * _SUPERSAMPLING)
    image, label = _tilted(canvas, rng.uniform(-2.5, 2.5))
    image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    # A label cannot be averaged, so one of the four is taken.
    label = np.ascontiguousarray(label[_SUPERSAMPLING // 2 :: _SUPERSAMPLING, _SUPERSAMPLING // 2 :: _SUPERSAMPLING])
    return Scene(_photographed(image, rng, style_spread), _annotated(label, rng))


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


def _tilted(canvas: Canvas, degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Turn picture and labels as a camera held askew does, enlarged so that no corner stays empty."""
    height, width = canvas.label.shape
    angle = np.deg2rad(abs(degrees))
    # The enlargement at which the turned picture just covers the upright one in both directions.
    grow = np.cos(angle) + np.sin(angle) * max(width / height, height / width)
    turn = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), degrees, grow)
    image = cv2.warpAffine(canvas.image, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    label = cv2.warpAffine(
        canvas.label, turn, (width, height), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )
    return image, label


def _photographed(image: np.ndarray, rng: np.random.Generator, style_spread: float) -> np.ndarray:
    """Apply what light and a camera do: uneven light, exposure, colour cast, blur and noise."""

    def style(low: float, high: float, size: int | None = None) -> Any:
        drawn = rng.uniform(low, high, size)
        # Powers of the factor over the middle one; written so that a spread of 1 changes no bit.
        return drawn * (drawn / np.sqrt(low * high)) ** (style_spread - 1)

    height, width = image.shape[:2]
    down, right = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.3)
    light = 1 + slope * (np.cos(angle) * right + np.sin(angle) * down) - rng.uniform(0, 0.2) * (right**2 + down**2)
    cast = style(0.9, 1.1, 3)
    image = np.clip(image * (light[..., None] * cast * style(0.75, 1.15)), 0, 255) / 255
    image = image ** style(0.85, 1.2)
    if rng.random() < 0.5:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 0.9))
    image = 255 * image + rng.normal(0, rng.uniform(2, 9), image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _annotated(label: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the label as it is stored, with edges between classes left out here and there."""
    spread = np.ones((3, 3), np.uint8)
    edges = cv2.dilate(label, spread) != cv2.erode(label, spread)
    a, b = np.meshgrid(np.arange(label.shape[1], dtype=np.float32), np.arange(label.shape[0], dtype=np.float32))
    vague = noise(a, b, 0.06, int(rng.integers(512))) > 0.9
    return np.where(edges & vague, _UNLABELLED, label + 1).astype(np.uint8)
