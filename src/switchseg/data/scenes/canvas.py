"""A camera and the picture it fills: flat patches of the world, painted from far to near with their class."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from switchseg.data.scenes.textures import Colour, Texture, rgb

_NEAR = 0.35
_FIXED_POINT = 4  # bits behind the point in cv2.fillPoly

Points = Sequence[tuple[float, float]]


class Canvas:
    """An RGB picture, float32 [H, W, 3], and its labels, uint8 [H, W], seen by a camera that looks along z.

    x grows to the right, y upwards from the ground, z away from the camera; all in metres. The camera stands at
    (0, eye, 0); `focal` is in pixels and (`centre_x`, `horizon`) is where parallel lines along z meet.
    """

    def __init__(self, height: int, width: int, focal: float, centre_x: float, horizon: float, eye: float) -> None:
        self.image = np.zeros((height, width, 3), np.float32)
        self.label = np.zeros((height, width), np.uint8)
        self.focal, self.centre_x, self.horizon, self.eye = focal, centre_x, horizon, eye
        self.haze: Colour = (200, 205, 215)
        self.haze_distance = 0.0  # in metres; 0 is clear air

    def paint(self, axis: str, at: float, corners: Points, label: int, texture: Texture, shade: float = 1.0) -> None:
        """Paint a polygon that lies in the plane where `axis` (`x`, `y` or `z`) has the value `at`.

        The corners are (x, y) in a plane of z, (x, z) in a plane of y, and (z, y) in a plane of x; so are the
        coordinates that `texture` gets.
        """
        found = self._cover(self._project(axis, at, corners))
        if found is None:
            return
        rows, columns, mask = found
        a, b, depth = self._coordinates(axis, at, rows, columns)
        colours = texture(a, b)
        colours *= np.float32(shade)
        # Light is lost exponentially with depth, and replaced by that of the haze.
        if self.haze_distance:
            clear = np.exp(-np.maximum(depth, 0) / self.haze_distance)[..., None].astype(np.float32)
            colours *= clear
            colours += rgb(self.haze) * (1 - clear)
        np.copyto(self.image[rows, columns], colours, where=mask[..., None])
        np.copyto(self.label[rows, columns], np.uint8(label), where=mask)

    def darken(self, axis: str, at: float, corners: Points, strength: float) -> None:
        """Lay a soft shadow over a polygon; labels stay as they are."""
        found = self._cover(self._project(axis, at, corners))
        if found is None:
            return
        rows, columns, mask = found
        soft = cv2.blur(mask.astype(np.float32), (9, 9))
        self.image[rows, columns] *= 1 - strength * soft[..., None]

    def box(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        z: tuple[float, float],
        label: int,
        texture: Texture,
        shades: tuple[float, float, float] = (1.0, 0.75, 1.15),
    ) -> None:
        """Paint the faces of a box that the camera sees; `shades` are those of the front, the sides and the top."""
        front, side, top = shades
        # Faces that are turned away from the camera are not painted at all: no depth buffer would hide them.
        if y[1] < self.eye:
            self.paint("y", y[1], rectangle(x, z), label, texture, top)
        if x[0] > 0:
            self.paint("x", x[0], rectangle(z, y), label, texture, side)
        if x[1] < 0:
            self.paint("x", x[1], rectangle(z, y), label, texture, side * 0.9)
        self.paint("z", z[0], rectangle(x, y), label, texture, front)

    def background(self, label: int, texture: Texture) -> None:
        """Fill the picture; the texture's b is 0 at the horizon and 1 at the upper edge, a is in the same unit."""
        height, width = self.label.shape
        b = (self.horizon - np.arange(height, dtype=np.float32)[:, None]) / max(1.0, self.horizon)
        a = np.arange(width, dtype=np.float32)[None] / max(1.0, self.horizon)
        self.image[:] = texture(a, b)
        self.label[:] = label

    def _project(self, axis: str, at: float, corners: Points) -> np.ndarray:
        """Return the corners in pixels, [n, 2], cut off right before the camera."""
        world = np.array([_point(axis, at, a, b) for a, b in corners])
        if axis != "z":
            world = _clipped(world)
        elif at < _NEAR:
            world = world[:0]
        x, y, z = world.T
        return np.stack((self.centre_x + self.focal * x / z, self.horizon - self.focal * (y - self.eye) / z), axis=1)

    def _cover(self, pixels: np.ndarray) -> tuple[slice, slice, np.ndarray] | None:
        """Return the rows, columns and mask that a polygon fills, None if it is out of sight."""
        height, width = self.label.shape
        if len(pixels) < 3:
            return None
        left, top = np.clip(np.floor(pixels.min(axis=0)), 0, (width, height)).astype(int)
        right, bottom = np.clip(np.ceil(pixels.max(axis=0)) + 1, 0, (width, height)).astype(int)
        if left >= right or top >= bottom:
            return None
        mask = np.zeros((bottom - top, right - left), np.uint8)
        # Far outside, coordinates would overflow cv2's fixed point.
        shifted = np.clip(pixels - (left, top), -20000, 20000) * (1 << _FIXED_POINT)
        cv2.fillPoly(mask, [np.rint(shifted).astype(np.int32)], 1, shift=_FIXED_POINT)
        return slice(top, bottom), slice(left, right), mask.view(bool)

    def _coordinates(self, axis: str, at: float, rows: slice, columns: slice) -> tuple[np.ndarray, ...]:
        """Return both coordinates in the plane and the depth of each pixel: float32, [h, w] when broadcast."""
        right = (np.arange(columns.start, columns.stop, dtype=np.float32)[None] + 0.5 - self.centre_x) / self.focal
        down = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + 0.5 - self.horizon) / self.focal
        if axis == "z":
            return right * np.float32(at), np.float32(self.eye) - down * np.float32(at), np.full((1, 1), at, np.float32)
        if axis == "y":
            depth = np.float32(self.eye - at) / _not_zero(down)
            return right * depth, depth, depth
        depth = np.float32(at) / _not_zero(right)
        return depth, np.float32(self.eye) - down * depth, depth


def rectangle(a: tuple[float, float], b: tuple[float, float]) -> Points:
    """Return the corners of an upright rectangle."""
    return [(a[0], b[0]), (a[1], b[0]), (a[1], b[1]), (a[0], b[1])]


def wider(span: tuple[float, float], by: float) -> tuple[float, float]:
    """Return a span that reaches further by so much at both ends."""
    return span[0] - by, span[1] + by


def ellipse(a: float, b: float, radius_a: float, radius_b: float, corners: int = 16) -> Points:
    """Return the corners of an ellipse around (a, b)."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return [(a + radius_a * np.cos(t), b + radius_b * np.sin(t)) for t in angles]


def _point(axis: str, at: float, a: float, b: float) -> tuple[float, float, float]:
    return {"x": (at, b, a), "y": (a, at, b), "z": (a, b, at)}[axis]


def _clipped(world: np.ndarray) -> np.ndarray:
    """Cut a polygon, [n, 3], at the nearest depth that can be seen."""
    kept = []
    for start, end in zip(world, np.roll(world, -1, axis=0), strict=True):
        if start[2] >= _NEAR:
            kept.append(start)
        if (start[2] >= _NEAR) != (end[2] >= _NEAR):
            kept.append(start + (end - start) * ((_NEAR - start[2]) / (end[2] - start[2])))
    return np.array(kept).reshape(-1, 3)


def _not_zero(values: np.ndarray) -> np.ndarray:
    return np.where(np.abs(values) < 1e-4, np.float32(1e-4), values)
