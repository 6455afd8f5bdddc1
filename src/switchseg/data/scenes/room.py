"""Rooms: a box with windows, doors and pictures on its walls, and furniture before them."""

from __future__ import annotations

import numpy as np

from switchseg.data.scenes.canvas import Canvas, ellipse, rectangle, wider
from switchseg.data.scenes.classes import CEILING, DOOR, FLOOR, PICTURE, WALL, WINDOW
from switchseg.data.scenes.furniture import furniture, rug
from switchseg.data.scenes.textures import (
    Colour,
    Texture,
    bricks,
    foliage,
    painting,
    plain,
    random_colour,
    sky,
    stripes,
)

_WALLS: list[Colour] = [
    *((222, 212, 194), (198, 206, 190), (184, 200, 214), (226, 200, 176), (206, 186, 206), (232, 228, 220)),
    *((150, 164, 158), (196, 150, 128)),
]


def room(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Return a room."""
    canvas = Canvas(
        height,
        width,
        focal=rng.uniform(0.62, 0.95) * max(height, width),
        centre_x=rng.uniform(0.3, 0.7) * width,
        horizon=rng.uniform(0.36, 0.52) * height,
        eye=rng.uniform(1.3, 1.8),
    )
    left, right = -rng.uniform(1.3, 2.8), rng.uniform(1.3, 2.8)
    depth, tall = rng.uniform(3.4, 6.5), rng.uniform(2.4, 3.0)
    paper, shades = _wall(rng), rng.permutation([1.06, 0.92, 0.78])
    canvas.background(WALL, plain((200, 195, 185)))
    canvas.paint("y", tall, rectangle((left, right), (0, depth)), CEILING, plain((226, 224, 218), 3, 1), 0.95)
    canvas.paint("y", 0, rectangle((left, right), (0, depth)), FLOOR, _floor(rng))
    canvas.paint("x", left, rectangle((0, depth), (0, tall)), WALL, paper, shades[0])
    canvas.paint("x", right, rectangle((0, depth), (0, tall)), WALL, paper, shades[1])
    canvas.paint("z", depth, rectangle((left, right), (0, tall)), WALL, paper, shades[2])
    _skirting(canvas, left, right, depth)
    # The first metre of the side walls lies beside the camera, out of sight.
    for axis, at, low, high in (("x", left, 1.2, depth), ("x", right, 1.2, depth), ("z", depth, left, right)):
        _hang(rng, canvas, axis, at, low + 0.2, high - 0.2, tall)
    if rng.random() < 0.6:
        rug(rng, canvas, left, right, depth)
    for _, draw in sorted(furniture(rng, left, right, depth), key=lambda thing: -thing[0]):
        draw(canvas)
    return canvas


def _wall(rng: np.random.Generator) -> Texture:
    colour = _WALLS[rng.integers(len(_WALLS))]
    if rng.random() < 0.3:
        return stripes(colour, (colour[0] * 0.88, colour[1] * 0.88, colour[2] * 0.9), rng.uniform(0.08, 0.3))
    return plain(colour, 4, 1.5, int(rng.integers(512)))


def _floor(rng: np.random.Generator) -> Texture:
    kind = rng.integers(3)
    if kind == 0:
        brown = rng.uniform(0.7, 1.2)
        return bricks((168 * brown, 120 * brown, 78 * brown), (80 * brown, 55 * brown, 35 * brown), 1.4, 0.16)
    if kind == 1:
        grey = rng.uniform(150, 215)
        return bricks((grey, grey * 0.98, grey * 0.94), (grey * 0.6,) * 3, 0.45, 0.45, False)
    return plain(random_colour(rng, 90, 170), 12, 9, int(rng.integers(512)))


def _skirting(canvas: Canvas, left: float, right: float, depth: float) -> None:
    white = plain((232, 230, 224), 3)
    canvas.paint("z", depth, rectangle((left, right), (0, 0.1)), WALL, white, 0.9)
    for at in (left, right):
        canvas.paint("x", at, rectangle((0, depth), (0, 0.1)), WALL, white, 0.85)


def _hang(rng: np.random.Generator, canvas: Canvas, axis: str, at: float, low: float, high: float, tall: float) -> None:
    """Put windows, pictures and at most one door side by side on a wall that reaches from `low` to `high`."""
    door, place = False, low + rng.uniform(0, 0.8)
    while place < high:
        kind = rng.choice(["window", "door", "picture", "nothing"], p=[0.34, 0.2, 0.26, 0.2])
        wide = rng.uniform(0.8, 1.7) if kind == "window" else rng.uniform(0.4, 1.0)
        if kind == "door":
            wide = 0.9
        if place + wide > high:
            return
        span = (place, place + wide)
        if kind == "window":
            _window(rng, canvas, axis, at, span, (rng.uniform(0.8, 1.1), tall - rng.uniform(0.25, 0.6)))
        elif kind == "door" and not door:
            _door(rng, canvas, axis, at, span)
            door = True
        elif kind == "picture":
            bottom = rng.uniform(1.2, 1.5)
            _picture(rng, canvas, axis, at, span, (bottom, min(tall - 0.3, bottom + rng.uniform(0.4, 0.8))))
        place += wide + rng.uniform(0.3, 1.4)


def _window(
    rng: np.random.Generator, canvas: Canvas, axis: str, at: float, a: tuple[float, float], b: tuple[float, float]
) -> None:
    canvas.paint(axis, at, rectangle(wider(a, 0.07), wider(b, 0.07)), WINDOW, plain((240, 238, 232), 3))
    outside = sky((150, 195, 240), (225, 238, 248), rng.uniform(0.3, 0.7), int(rng.integers(512)))

    def view(s: np.ndarray, t: np.ndarray) -> np.ndarray:
        return outside(s - a[0], (t - b[0]) / (b[1] - b[0])) * np.float32(1.08)

    canvas.paint(axis, at, rectangle(a, b), WINDOW, view)
    garden = b[0] + (b[1] - b[0]) * rng.uniform(0.1, 0.4)
    canvas.paint(axis, at, rectangle(a, (b[0], garden)), WINDOW, foliage((128, 170, 100), 3))
    bar = plain((236, 234, 228), 3)
    middle = sum(a) / 2
    canvas.paint(axis, at, rectangle((middle - 0.025, middle + 0.025), b), WINDOW, bar)
    if rng.random() < 0.5:
        level = b[0] + 0.6 * (b[1] - b[0])
        canvas.paint(axis, at, rectangle(a, (level - 0.025, level + 0.025)), WINDOW, bar)


def _door(rng: np.random.Generator, canvas: Canvas, axis: str, at: float, a: tuple[float, float]) -> None:
    tone = rng.uniform(0.55, 1.5)
    wood = plain((128 * tone, 88 * tone, 56 * tone), 7, 2, int(rng.integers(512)))
    canvas.paint(axis, at, rectangle(wider(a, 0.08), (0, 2.12)), DOOR, wood, 0.7)
    canvas.paint(axis, at, rectangle(a, (0, 2.04)), DOOR, wood)
    for low, high in ((0.2, 0.95), (1.1, 1.9)):
        canvas.paint(axis, at, rectangle(wider(a, -0.15), (low, high)), DOOR, wood, 0.82)
    canvas.paint(axis, at, ellipse(a[0] + 0.08, 1.0, 0.04, 0.04, 8), DOOR, plain((225, 205, 130)))


def _picture(
    rng: np.random.Generator, canvas: Canvas, axis: str, at: float, a: tuple[float, float], b: tuple[float, float]
) -> None:
    frame: Colour = (60, 45, 35) if rng.random() < 0.5 else (205, 175, 105)
    canvas.paint(axis, at, rectangle(a, b), PICTURE, plain(frame, 6, 6))
    canvas.paint(axis, at, rectangle(wider(a, -0.05), wider(b, -0.05)), PICTURE, plain((236, 232, 222), 3))
    art = painting([random_colour(rng, 20, 235) for _ in range(4)], int(rng.integers(512)))
    canvas.paint(axis, at, rectangle(wider(a, -0.1), wider(b, -0.1)), PICTURE, art)
