"""Streets: sky, buildings on both sides, a road with cars, trees, poles and people."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from switchseg.data.scenes.canvas import Canvas, ellipse, rectangle
from switchseg.data.scenes.classes import BUILDING, CAR, GRASS, POLE, ROAD, SIDEWALK, SKY, TREE
from switchseg.data.scenes.people import person
from switchseg.data.scenes.textures import Colour, Texture, bricks, foliage, plain, sky, windows

_FAR = 90.0

_FACADES: list[Colour] = [
    *((168, 92, 74), (196, 180, 150), (150, 150, 155), (205, 160, 110), (120, 105, 100), (220, 215, 205)),
    *((142, 160, 172), (188, 120, 92)),
]
_PAINTS: list[Colour] = [
    *((190, 30, 30), (30, 60, 140), (225, 225, 225), (40, 40, 45), (120, 125, 130), (215, 175, 40), (35, 110, 70)),
]


def street(rng: np.random.Generator, height: int, width: int) -> Canvas:
    """Return a street scene."""
    canvas = Canvas(
        height,
        width,
        focal=rng.uniform(0.7, 1.05) * max(height, width),
        centre_x=rng.uniform(0.3, 0.7) * width,
        horizon=rng.uniform(0.38, 0.58) * height,
        eye=rng.uniform(1.4, 3.2),
    )
    overcast = rng.random() < 0.35
    top, bottom = ((165, 172, 182), (214, 216, 220)) if overcast else ((84, 140, 214), (190, 214, 236))
    canvas.background(SKY, sky(top, bottom, rng.uniform(0.25, 0.6), int(rng.integers(512))))
    canvas.haze, canvas.haze_distance = bottom, rng.uniform(60, 260)
    # The sun lights one side of the street.
    shades = (0.85, 0.85) if overcast else ((1.1, 0.62) if rng.random() < 0.5 else (0.62, 1.1))
    half, pavement = rng.uniform(2.6, 5.0), rng.uniform(1.2, 3.0)
    _ground(rng, canvas, half, pavement)
    for side, shade in zip((-1, 1), shades, strict=True):
        _buildings(rng, canvas, side, half + pavement + rng.uniform(0, 3), shade)
    # From far to near, as a painter does: nothing here has a depth buffer.
    for _, draw in sorted(_things(rng, half, pavement), key=lambda thing: -thing[0]):
        draw(canvas)
    return canvas


def _ground(rng: np.random.Generator, canvas: Canvas, half: float, pavement: float) -> None:
    green = (rng.uniform(70, 120), rng.uniform(110, 150), rng.uniform(45, 75))
    canvas.paint("y", 0, rectangle((-300, 300), (0, 400)), GRASS, foliage(green, 0.8))
    grey = rng.uniform(70, 115)
    asphalt = plain((grey, grey, grey * 1.04), 5, 3)
    canvas.paint("y", 0, rectangle((-half, half), (0, 400)), ROAD, asphalt)
    paint = plain((225, 225, 215), 8, 3)
    for z in np.arange(rng.uniform(0, 3), _FAR, 5.0):
        canvas.paint("y", 0, rectangle((-0.08, 0.08), (z, z + 2.4)), ROAD, paint)
    if rng.random() < 0.3:
        crossing = rng.uniform(5, 14)
        for x in np.arange(-half + 0.3, half - 0.3, 1.0):
            canvas.paint("y", 0, rectangle((x, x + 0.5), (crossing, crossing + 2.5)), ROAD, paint)
    light = rng.uniform(140, 190)
    slabs = bricks((light, light * 0.97, light * 0.92), (light * 0.7,) * 3, rng.uniform(0.5, 1.2), 0.8, False)
    for side in (-1, 1):
        near, far = side * half, side * (half + pavement)
        canvas.paint("y", 0.12, rectangle((min(near, far), max(near, far)), (0, 400)), SIDEWALK, slabs)
        canvas.paint("x", near, rectangle((0, 400), (0, 0.12)), SIDEWALK, plain((150, 148, 142)), 0.8)


def _facade(rng: np.random.Generator) -> Texture:
    colour = _FACADES[rng.integers(len(_FACADES))]
    joint = (colour[0] * 0.8 + 30, colour[1] * 0.8 + 30, colour[2] * 0.8 + 30)
    wall = bricks(colour, joint, 0.5, 0.25) if rng.random() < 0.4 else plain(colour, 7, 0.7, int(rng.integers(512)))
    glass = (rng.uniform(50, 90), rng.uniform(65, 100), rng.uniform(80, 120))
    step = (rng.uniform(1.6, 3.2), rng.uniform(2.6, 3.6))
    return windows(wall, glass, step, (rng.uniform(0.35, 0.75), rng.uniform(0.4, 0.65)))


def _buildings(rng: np.random.Generator, canvas: Canvas, side: int, front: float, shade: float) -> None:
    blocks, z = [], rng.uniform(-4, 5)
    while z < _FAR:
        depth = rng.uniform(6, 16)
        if rng.random() > 0.18:
            blocks.append((z, z + depth))
        z += depth + (rng.uniform(2, 12) if rng.random() < 0.3 else 0)
    # The far blocks first, so that the near ones cover them.
    for near, far in reversed(blocks):
        setback = front + rng.uniform(0, 1.5)
        x = (setback, setback + 12) if side > 0 else (-setback - 12, -setback)
        canvas.box(x, (0, rng.uniform(4, 17)), (near, far), BUILDING, _facade(rng), (0.9, shade, 1.0))


def _things(rng: np.random.Generator, half: float, pavement: float) -> list[tuple[float, Callable[[Canvas], None]]]:
    """Return (depth, how to draw it) of everything that stands on the ground before the buildings."""
    things: list[tuple[float, Callable[[Canvas], None]]] = []
    for side in (-1, 1):
        for _ in range(rng.integers(0, 5)):
            z = rng.uniform(5, 45)
            things.append((z, partial(_tree, rng, side * (half + rng.uniform(0.5, 1.0) * pavement), z)))
        for _ in range(rng.integers(0, 3)):
            z = rng.uniform(4, 30)
            things.append((z, partial(_pole, rng, side * (half + 0.25), z)))
        for _ in range(rng.integers(0, 4)):
            z = rng.uniform(3, 22)
            things.append((z, partial(person, rng, side * (half + rng.uniform(0.3, pavement)), z, 0.12)))
    for _ in range(rng.integers(0, 2)):
        z = rng.uniform(4, 18)
        things.append((z, partial(person, rng, rng.uniform(-half, half), z, 0.0)))
    for lane in (-1, 1):
        z = rng.uniform(4, 16)
        while z < 60 and rng.random() < 0.75:
            # Parked at the kerb, or driving in the lane.
            x = lane * (half - 1.0) if rng.random() < 0.6 else lane * half * 0.45
            things.append((z, partial(_car, rng, x, z)))
            z += rng.uniform(5.5, 20)
    return things


def _tree(rng: np.random.Generator, x: float, z: float, canvas: Canvas) -> None:
    trunk, crown = rng.uniform(1.2, 2.6), rng.uniform(0.9, 2.0)
    canvas.darken("y", 0.12, ellipse(x, z, crown, crown), 0.35)
    bark = plain((86, 66, 50), 14, 8)
    canvas.paint("z", z, [(x - 0.16, 0), (x + 0.16, 0), (x + 0.09, trunk + 0.5), (x - 0.09, trunk + 0.5)], TREE, bark)
    green = (rng.uniform(45, 100), rng.uniform(85, 135), rng.uniform(35, 65))
    leaves = foliage(green, 1.2, int(rng.integers(512)))
    for _ in range(7):
        a, b = x + rng.uniform(-0.6, 0.6) * crown, trunk + crown * rng.uniform(0.5, 1.5)
        radius = crown * rng.uniform(0.45, 0.75)
        wobble = rng.uniform(0.82, 1.18, 16)
        outline = zip(ellipse(0, 0, radius, radius), wobble, strict=True)
        points = [(a + p * w, b + q * w) for (p, q), w in outline]
        canvas.paint("z", z, points, TREE, leaves, 0.75 + 0.35 * (b - trunk) / (2 * crown))


def _pole(rng: np.random.Generator, x: float, z: float, canvas: Canvas) -> None:
    grey = rng.uniform(60, 130)
    metal = plain((grey, grey, grey), 8, 6)
    top = rng.uniform(2.4, 5.5)
    canvas.paint("z", z, rectangle((x - 0.07, x + 0.07), (0, top)), POLE, metal)
    if top > 3.8:  # a street lamp
        arm = -np.sign(x) * 1.1
        canvas.paint("z", z, rectangle((min(x, x + arm), max(x, x + arm)), (top - 0.08, top)), POLE, metal)
        canvas.paint("z", z, ellipse(x + arm, top - 0.08, 0.3, 0.1), POLE, plain((230, 225, 200)))
        return
    colour = [(200, 30, 30), (30, 80, 180), (235, 190, 30)][rng.integers(3)]
    shape = (
        ellipse(x, top, 0.38, 0.38)
        if rng.random() < 0.6
        else [(x - 0.42, top - 0.3), (x + 0.42, top - 0.3), (x, top + 0.42)]
    )
    canvas.paint("z", z, shape, POLE, plain(colour, 4))
    canvas.paint("z", z, rectangle((x - 0.24, x + 0.24), (top - 0.08, top + 0.07)), POLE, plain((240, 240, 240), 3))


def _car(rng: np.random.Generator, x: float, z: float, canvas: Canvas) -> None:
    length, half, waist, roof = (
        rng.uniform(3.6, 4.8),
        rng.uniform(0.8, 0.95),
        rng.uniform(0.85, 1.0),
        rng.uniform(1.35, 1.8),
    )
    canvas.darken("y", 0, rectangle((x - half - 0.15, x + half + 0.15), (z - 0.2, z + length + 0.2)), 0.6)
    rubber, glass = plain((28, 28, 30), 4), plain((52, 62, 74), 10, 2)
    side = x - half if x > 0 else x + half
    for wheel in (z + length * 0.2, z + length * 0.8):
        canvas.paint("x", side, ellipse(wheel, 0.32, 0.34, 0.32), CAR, rubber)
    paint = plain(_PAINTS[rng.integers(len(_PAINTS))], 4, 2, int(rng.integers(512)))
    canvas.box((x - half, x + half), (0.28, waist), (z, z + length), CAR, paint, (1.0, 0.78, 1.2))
    cabin = (z + length * 0.12, z + length * 0.72)
    canvas.box((x - half * 0.86, x + half * 0.86), (waist, roof), cabin, CAR, glass, (1.0, 0.85, 1.0))
    if roof < canvas.eye:
        canvas.paint("y", roof, rectangle((x - half * 0.86, x + half * 0.86), cabin), CAR, paint, 1.2)
    canvas.paint("z", cabin[0], rectangle((x - half * 0.86, x + half * 0.86), (roof - 0.1, roof)), CAR, paint)
    for wheel in (z + length * 0.2, z + length * 0.8):
        canvas.paint("x", side, ellipse(wheel, 0.32, 0.34, 0.32), CAR, rubber)
        canvas.paint("x", side, ellipse(wheel, 0.32, 0.16, 0.15), CAR, plain((150, 150, 155), 5))
    lamp = plain((200, 40, 35) if x > 0 else (250, 245, 215), 5)
    for a in (x - half * 0.75, x + half * 0.75):
        canvas.paint("z", z, ellipse(a, waist - 0.22, 0.15, 0.09), CAR, lamp)
    canvas.paint("z", z, rectangle((x - half, x + half), (0.28, 0.42)), CAR, plain((45, 45, 48), 4))
    canvas.paint("z", z, rectangle((x - 0.26, x + 0.26), (0.45, 0.57)), CAR, plain((230, 230, 220), 4))
    for a in (x - half + 0.16, x + half - 0.16):
        canvas.paint("z", z, rectangle((a - 0.11, a + 0.11), (0.0, 0.3)), CAR, rubber)
