"""One scene from a seed: a street or a room as a camera and an annotator would have left it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np

from switchseg.data.scenes.canvas import Canvas
from switchseg.data.scenes.room import room
from switchseg.data.scenes.street import street
from switchseg.data.scenes.textures import noise

_SUPERSAMPLING = 2
_UNLABELLED = 0  # in the files; class k is stored as k + 1


class Scene(NamedTuple):
    """A generated picture."""

    image: np.ndarray
    """uint8 RGB [H, W, 3]."""
    annotation: np.ndarray
    """uint8 [H, W]: class k as k + 1, 0 at some edges where nobody would have labelled."""


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
