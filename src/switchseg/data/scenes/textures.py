"""Surfaces: functions of two coordinates in metres that return RGB colours, float32 [h, w, 3] in 0 .. 255."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import cv2
import numpy as np

Texture = Callable[[np.ndarray, np.ndarray], np.ndarray]
Colour = tuple[float, float, float]

_TILE = 512


def rgb(colour: Colour) -> np.ndarray:
    """Return a colour as float32 [3]."""
    return np.array(colour, np.float32)


def random_colour(rng: np.random.Generator, low: float, high: float) -> Colour:
    """Return a colour with each channel between `low` and `high`."""
    red, green, blue = rng.uniform(low, high, 3).tolist()
    return red, green, blue


def noise(a: np.ndarray, b: np.ndarray, per_metre: float, offset: int = 0) -> np.ndarray:
    """Return cloudy noise with mean 0 and standard deviation 1, float32 [h, w]; `per_metre` says how fine it is."""
    # The tile has a power of two, so that `&` wraps around without a division, for negative numbers as well.
    columns = (a * (per_metre * 16) + offset).astype(np.int32) & (_TILE - 1)
    rows = (b * (per_metre * 16) + 3 * offset).astype(np.int32) & (_TILE - 1)
    values: np.ndarray = _noise_tile()[rows, columns]
    return values


def plain(colour: Colour, rough: float = 6.0, per_metre: float = 4.0, offset: int = 0) -> Texture:
    """One colour with blotches: asphalt, plaster, cloth."""

    def texture(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        blotched: np.ndarray = rgb(colour) + np.float32(rough) * noise(a, b, per_metre, offset)[..., None]
        return blotched

    return texture


def bricks(colour: Colour, joint: Colour, width: float, height: float, shifted: bool = True) -> Texture:
    """Rows of bricks, tiles or planks, `width` by `height` metres, each a little different in brightness.

    With `shifted`, every other row begins half a brick further on.
    """
    joint_width = 0.05 * min(width, height) + 0.004

    def texture(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        row = np.floor(b / height)
        along = a / width + (0.5 * (row % 2) if shifted else 0)
        column = np.floor(along)
        # The usual hash of shaders: a brick's tint depends on its place alone, without a table of bricks.
        tint = np.sin(row * 12.9898 + column * 78.233) * 43758.5453
        tint = (tint - np.floor(tint) - 0.5) * 28
        colours: np.ndarray = _filled(a, b, colour) + (tint + 5 * noise(a, b, 6))[..., None].astype(np.float32)
        seam = ((along - column) * width < joint_width) | (b - row * height < joint_width)
        colours[np.broadcast_to(seam, colours.shape[:2])] = joint
        return colours

    return texture


def windows(wall: Texture, pane: Colour, step: tuple[float, float], share: tuple[float, float]) -> Texture:
    """A facade: a grid of windows, `step` metres apart and `share` of that large, some of them lit."""

    def texture(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        column, row = np.floor(a / step[0]), np.floor(b / step[1])
        x, y = a / step[0] - column, b / step[1] - row
        low, high = 0.5 - np.array(share) / 2, 0.5 + np.array(share) / 2
        inside = (x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1])
        frame = inside & ~((x > low[0] + 0.06) & (x < high[0] - 0.06) & (y > low[1] + 0.06) & (y < high[1] - 0.06))
        lit = np.sin(column * 91.7 + row * 47.3) > 0.8
        shine = (30 * (y - 0.5) + 40 * lit)[..., None] * rgb((1.0, 0.9, 0.6))
        colours = np.where(inside[..., None], rgb(pane) + shine, wall(a, b))
        colours[frame] = colours[frame] * 0.4 + 120
        return colours

    return texture


def stripes(first: Colour, second: Colour, width: float) -> Texture:
    """Upright stripes: wallpaper, curtains."""

    def texture(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        odd = np.sin(a * (np.pi / width))[..., None] < 0
        striped: np.ndarray = np.where(odd, rgb(second), rgb(first)) + 3 * noise(a, b, 5)[..., None]
        return striped

    return texture


def foliage(colour: Colour, per_metre: float = 1.5, offset: int = 0) -> Texture:
    """Leaves or grass: strong noise at two sizes, brighter where it is high."""

    def texture(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        coarse, fine = noise(a, b, per_metre, offset), noise(a, b, 5 * per_metre, offset + 77)
        light = 1 + 0.16 * coarse + 0.22 * fine
        leaves: np.ndarray = rgb(colour) * np.clip(light, 0.35, 1.7)[..., None]
        return leaves

    return texture


def sky(top: Colour, bottom: Colour, clouds: float, offset: int) -> Texture:
    """From the horizon (b = 0) up to b = 1, with clouds that cover more the larger `clouds` (0 .. 1) is."""

    def texture(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        height = np.clip(b, 0, 1)[..., None].astype(np.float32)
        clear = rgb(top) * height + rgb(bottom) * (1 - height)
        cover = noise(a * 0.6, b * 1.6, 2.0, offset) * 0.6 + noise(a, b * 2, 5.0, offset + 11) * 0.2
        cover = np.clip(cover + 2 * clouds - 1, 0, 1)[..., None] * np.float32(0.85)
        clouded: np.ndarray = clear * (1 - cover) + rgb((246, 246, 248)) * cover
        return clouded

    return texture


def painting(colours: list[Colour], offset: int) -> Texture:
    """Abstract art: bands of a few colours that follow the noise."""
    table = np.array(colours, np.float32)

    def texture(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        level = noise(a, b, 2.0, offset) + 2.5 * b + a
        painted: np.ndarray = table[np.floor(level * 1.7).astype(np.int32) % len(table)]
        return painted

    return texture


def _filled(a: np.ndarray, b: np.ndarray, colour: Colour) -> np.ndarray:
    return np.broadcast_to(rgb(colour), (*np.broadcast_shapes(a.shape, b.shape), 3)).copy()


@cache
def _noise_tile() -> np.ndarray:
    """Fractal noise that repeats without a seam; the same in every process, as it belongs to no scene."""
    rng = np.random.default_rng(1808)
    total = np.zeros((_TILE, _TILE), np.float32)
    for octave in range(6):
        cells = 8 << octave
        # Two cells around it in wrap mode are what cubic interpolation needs for a tile without a seam.
        wrapped = np.pad(rng.standard_normal((cells, cells)).astype(np.float32), 2, mode="wrap")
        scale = _TILE // cells
        fine = np.asarray(cv2.resize(wrapped, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))
        total += fine.astype(np.float32)[2 * scale : 2 * scale + _TILE, 2 * scale : 2 * scale + _TILE] / 1.6**octave
    tile: np.ndarray = (total - total.mean()) / total.std()
    return tile
