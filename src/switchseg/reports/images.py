"""The pictures of runs as small images inside the page: labels in colour, errors, confidence."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from switchseg.classes import Classes
from switchseg.errors import UserError
from switchseg.labels import IGNORED
from switchseg.reports.runs import Picture

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Labels = np.ndarray[Any, np.dtype[Any]]

LONG_SIDE = 400
"""Longest side in pixels of an image inside the page: twice its place on a screen of one pixel per dot."""
IGNORED_COLOUR = (128, 128, 128)
ERROR_COLOUR = (213, 62, 0)


@dataclass(frozen=True)
class Source:
    """An image with its truth, and the size in pixels that both are shown at."""

    name: str
    image: Pixels
    """RGB [h, w, 3], of the size that is shown."""
    truth: Labels
    """[H, W], of full size."""
    size: tuple[int, int]
    """Height and width that are shown."""


@dataclass(frozen=True)
class Answer:
    """What one run said about an image, at the size that the page shows."""

    labels: Labels
    confidence: Pixels
    """Highest probability x 255."""
    right: float
    """Fraction of the labelled pixels that have the right class, counted at full size."""


def read_source(picture: Picture) -> Source:
    """Read an image and its truth.

    Raises:
        UserError: a file is no image, or the two differ in size.
    """
    image, truth = _read(picture.image, "RGB"), _read(picture.truth)
    _require_size(picture.truth, truth, image)
    # By the truth, whose size is that of the predictions; small images are not enlarged.
    factor = min(1.0, LONG_SIDE / max(truth.shape))
    height, width = (max(1, round(side * factor)) for side in truth.shape)
    return Source(
        picture.name, cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), truth, (height, width)
    )


def read_answer(picture: Picture, source: Source) -> Answer:
    """Read what a run said about `source`.

    Raises:
        UserError: a file is no image, or its size is not that of the truth.
    """
    labels, confidence = _read(picture.labels), _read(picture.confidence)
    for path, values in ((picture.labels, labels), (picture.confidence, confidence)):
        _require_size(path, values, source.truth)
    labelled = source.truth != IGNORED
    # At full size, before shrinking leaves out pixels.
    right = (labels == source.truth)[labelled].mean() if labelled.any() else 1.0
    return Answer(shrunk(labels, source.size), shrunk(confidence, source.size), float(right))


def shrunk(labels: Labels, size: tuple[int, int]) -> Labels:
    """Return `labels` at (height, width) without mixing neighbours."""
    # EXACT takes the pixel in the middle; cv2's plain nearest rounds down, which shifts the map.
    return np.asarray(cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT))


def colour_map(labels: Labels, classes: Classes) -> str:
    """Return a label map in the colours of its classes, as a data URI; ignored pixels are grey."""
    # A palette holds 256 colours: classes beyond that share the grey of ignored pixels.
    picture = Image.fromarray(np.minimum(labels, IGNORED).astype(np.uint8))
    table = classes.colours(IGNORED_COLOUR)[: IGNORED + 1]
    table[IGNORED] = IGNORED_COLOUR
    picture.putpalette(table.tobytes())
    return data_uri(picture, "png", optimize=True)


def error_map(image: Pixels, truth: Labels, labels: Labels) -> str:
    """Return the faded image with every wrong pixel in one colour, as a data URI; ignored pixels are never wrong."""
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    pixels = np.repeat((110 + 0.5 * grey).astype(np.uint8)[..., None], 3, axis=2)
    pixels[(labels != truth) & (truth != IGNORED)] = ERROR_COLOUR
    return data_uri(Image.fromarray(pixels), "jpeg", quality=78)


def confidence_map(confidence: Pixels) -> str:
    """Return the confidence from dark (unsure) to bright (sure), as a data URI."""
    pixels = cv2.cvtColor(cv2.applyColorMap(confidence, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
    return data_uri(Image.fromarray(pixels), "jpeg", quality=72)


def photograph(image: Pixels) -> str:
    """Return an image as a data URI."""
    return data_uri(Image.fromarray(image), "jpeg", quality=82)


def picture_file(path: Path) -> tuple[str, tuple[int, int]]:
    """Return a picture that is shown as it is, as a data URI, with its height and width.

    Raises:
        UserError: the file is no image.
    """
    pixels = _read(path, "RGB")
    return photograph(pixels), pixels.shape[:2]


# What Pillow raises for damaged files.
_DAMAGES = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)


def _read(path: Path, mode: str | None = None) -> Any:
    # Palette pictures read as their indices, which is what a label map means.
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert(mode) if mode else picture)
    except _DAMAGES as error:
        raise UserError(f"{path}: cannot be read as an image ({error})") from None


def _require_size(path: Path, values: Labels, like: Labels) -> None:
    if values.shape[:2] != like.shape[:2] or values.ndim != 2:
        raise UserError(f"{path}: shape {values.shape}, but the image beside it is {like.shape[:2]}")


def data_uri(picture: Image.Image, kind: str, **options: Any) -> str:
    """Return a picture as the text that stands for it inside a page; `kind` is png or jpeg, `options` are Pillow's."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
