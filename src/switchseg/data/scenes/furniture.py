"""What stands and lies in a room: a sofa, a table, a rug, and perhaps a person."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from switchseg.data.scenes.canvas import Canvas, rectangle, wider
from switchseg.data.scenes.classes import FLOOR, SOFA, TABLE
from switchseg.data.scenes.people import person
from switchseg.data.scenes.textures import plain, random_colour, stripes


def rug(rng: np.random.Generator, canvas: Canvas, left: float, right: float, depth: float) -> None:
    """Lay a rug on the floor between two walls."""
    x, z = rng.uniform(left * 0.4, right * 0.4), rng.uniform(2.0, depth - 0.8)
    half = (rng.uniform(0.6, 1.2), rng.uniform(0.4, 0.8))
    first, second = (random_colour(rng, 40, 220) for _ in range(2))
    canvas.paint("y", 0, rectangle((x - half[0], x + half[0]), (z - half[1], z + half[1])), FLOOR, plain(first, 14, 8))
    inner = rectangle((x - half[0] * 0.8, x + half[0] * 0.8), (z - half[1] * 0.75, z + half[1] * 0.75))
    canvas.paint("y", 0, inner, FLOOR, stripes(first, second, 0.12))


def furniture(
    rng: np.random.Generator, left: float, right: float, depth: float
) -> list[tuple[float, Callable[[Canvas], None]]]:
    """Return (depth, how to draw it) of what stands between two walls.

    The table stands before the sofa, so that neither cuts into the other; a person may stand as deep as the table.
    """
    things: list[tuple[float, Callable[[Canvas], None]]] = []
    if rng.random() < 0.75:
        wide = min(rng.uniform(1.3, 2.2), right - left - 0.3)
        x = rng.uniform(left + 0.1, right - 0.1 - wide)
        things.append((depth - 1.0, partial(_sofa, rng, (x, x + wide), depth - 0.95)))
    if rng.random() < 0.75:
        z = rng.uniform(1.7, max(1.8, depth - 2.0))
        wide = rng.uniform(0.7, 1.5)
        x = rng.uniform(left + 0.2, max(left + 0.3, right - wide - 0.2))
        things.append((z, partial(_table, rng, (x, x + wide), (z, z + rng.uniform(0.5, 0.8)))))
    if rng.random() < 0.45:
        z = rng.uniform(2.0, depth - 1.1)
        things.append((z - 0.1, partial(person, rng, rng.uniform(left + 0.4, right - 0.4), z, 0.0)))
    return things


def _sofa(rng: np.random.Generator, x: tuple[float, float], z: float, canvas: Canvas) -> None:
    cloth = plain(random_colour(rng, 40, 190), 9, 7, int(rng.integers(512)))
    arm, seat, back = rng.uniform(0.14, 0.24), rng.uniform(0.38, 0.46), rng.uniform(0.75, 0.95)
    canvas.darken("y", 0, rectangle(wider(x, 0.1), (z - 0.25, z + 0.9)), 0.45)
    canvas.box(x, (0.1, back), (z + 0.62, z + 0.85), SOFA, cloth, (0.9, 0.7, 1.1))
    canvas.box((x[0] + arm, x[1] - arm), (0.1, seat), (z, z + 0.62), SOFA, cloth, (0.85, 0.7, 1.12))
    middle = sum(x) / 2
    canvas.paint("z", z, rectangle((middle - 0.01, middle + 0.01), (0.12, seat)), SOFA, cloth, 0.5)
    for _ in range(rng.integers(0, 3)):
        a = rng.uniform(x[0] + 0.4, x[1] - 0.4)
        cushion = rectangle((a - 0.18, a + 0.18), (seat, seat + 0.32))
        canvas.paint("z", z + 0.55, cushion, SOFA, plain(random_colour(rng, 60, 230), 8, 8))
    # The arms last, over the ends of seat and back.
    for span in ((x[0], x[0] + arm), (x[1] - arm, x[1])):
        canvas.box(span, (0.1, seat + 0.2), (z, z + 0.8), SOFA, cloth, (0.95, 0.72, 1.15))


def _table(rng: np.random.Generator, x: tuple[float, float], z: tuple[float, float], canvas: Canvas) -> None:
    tone, tall = rng.uniform(0.5, 1.6), rng.uniform(0.42, 0.76)
    wood = plain((142 * tone, 100 * tone, 62 * tone), 8, 3, int(rng.integers(512)))
    canvas.darken("y", 0, rectangle(wider(x, 0.05), wider(z, 0.05)), 0.4)
    # The far legs first, as the near ones may cover them.
    for depth in (z[1] - 0.06, z[0]):
        for a in (x[0] + 0.02, x[1] - 0.08):
            canvas.box((a, a + 0.06), (0, tall), (depth, depth + 0.06), TABLE, wood, (0.75, 0.55, 1.0))
    canvas.box(x, (tall, tall + 0.05), z, TABLE, wood, (0.8, 0.65, 1.15))
