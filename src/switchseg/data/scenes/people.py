"""People, who stand in streets and rooms alike."""

from __future__ import annotations

import numpy as np

from switchseg.data.scenes.canvas import Canvas, ellipse
from switchseg.data.scenes.classes import PERSON
from switchseg.data.scenes.textures import Colour, plain, random_colour

_SKINS: list[Colour] = [(236, 196, 168), (205, 152, 118), (150, 104, 76), (98, 68, 52)]


def person(rng: np.random.Generator, x: float, z: float, ground: float, canvas: Canvas) -> None:
    """Paint someone who stands at (x, z)."""
    tall, stride, lean = rng.uniform(1.5, 1.9), rng.uniform(0.05, 0.28), rng.uniform(-0.04, 0.04)
    shirt, trousers = (plain(random_colour(rng, 25, 225), 12, 5, int(rng.integers(512))) for _ in range(2))
    skin = plain(_SKINS[rng.integers(len(_SKINS))], 4, 8)
    hip, shoulder, neck = ground + tall * 0.5, ground + tall * 0.82, ground + tall * 0.86
    # The shadow first, as everything that follows stands on it.
    canvas.darken("y", ground, ellipse(x, z, 0.35, 0.25), 0.5)
    for foot in (-stride, stride):
        leg = [(x - 0.09, hip), (x + 0.09, hip), (x + foot + 0.07, ground), (x + foot - 0.07, ground)]
        canvas.paint("z", z, leg, PERSON, trousers, 0.9 if foot < 0 else 1.0)
        canvas.paint("z", z, ellipse(x + foot + 0.03, ground + 0.04, 0.12, 0.05, 8), PERSON, plain((40, 34, 32)))
    for side in (-1, 1):
        arm = [
            (x + side * 0.2, shoulder),
            (x + side * 0.24, shoulder - 0.05),
            (x + side * (0.2 + stride), hip),
            (x + side * (0.12 + stride), hip),
        ]
        canvas.paint("z", z, arm, PERSON, shirt, 0.85)
        canvas.paint("z", z, ellipse(x + side * (0.16 + stride), hip - 0.03, 0.05, 0.06, 8), PERSON, skin)
    torso = [
        (x - 0.15, hip - 0.05),
        (x + 0.15, hip - 0.05),
        (x + lean + 0.22, shoulder),
        (x + lean, neck),
        (x + lean - 0.22, shoulder),
    ]
    canvas.paint("z", z, torso, PERSON, shirt)
    head = neck + 0.11
    canvas.paint("z", z, ellipse(x + lean, head, 0.1, 0.13), PERSON, skin)
    dark = rng.uniform(0.3, 2.2)
    hair = plain((70 * dark, 50 * dark, 35 * dark), 8, 12)
    canvas.paint(
        "z", z, [(a, max(b, head + 0.03)) for a, b in ellipse(x + lean, head + 0.01, 0.11, 0.14)], PERSON, hair
    )
