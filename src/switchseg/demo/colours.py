"""Colours that an image can be seen through: bright, never grey, and apart from each other."""

from __future__ import annotations

import colorsys
import math

from switchseg.classes import Classes

Colour = tuple[int, int, int]

LEAST_SATURATION, LEAST_VALUE = 0.55, 0.8
GREY = 0.2
"""Below this saturation a colour has no hue of its own."""
NEAREST = 45.0
"""Distance in RGB that two classes keep where there is room."""
_GOLDEN = (math.sqrt(5) - 1) / 2
_TRIES = 40


def see_through(classes: Classes) -> tuple[Colour, ...]:
    """Return a colour for each class, its own hue where it has one that no class before it has taken."""
    chosen: list[Colour] = []
    for index, own in enumerate(classes.palette):
        hue, saturation, value = colorsys.rgb_to_hsv(*(channel / 255 for channel in own))
        if saturation < GREY:
            # Multiples of the golden ratio are spread evenly over the circle, however many are taken.
            hue = index * _GOLDEN % 1
        saturation, value = max(saturation, LEAST_SATURATION), max(value, LEAST_VALUE)
        candidates = [_colour(hue + turn * _GOLDEN, saturation, value) for turn in range(_TRIES)]
        free = [colour for colour in candidates if _distance(colour, chosen) >= NEAREST]
        # With very many classes there is no room left; then the colour that is farthest from all others is the best.
        chosen.append(free[0] if free else max(candidates, key=lambda colour: _distance(colour, chosen)))
    return tuple(chosen)


def _colour(hue: float, saturation: float, value: float) -> Colour:
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def _distance(colour: Colour, others: list[Colour]) -> float:
    return min((math.dist(colour, other) for other in others), default=math.inf)
