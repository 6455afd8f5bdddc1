"""Furniture stands on the floor, between the walls, and is labelled as such."""

import numpy as np

from switchseg.data.scenes.canvas import Canvas
from switchseg.data.scenes.classes import FLOOR, PERSON, SOFA, TABLE
from switchseg.data.scenes.furniture import furniture, rug


def empty() -> Canvas:
    return Canvas(150, 200, focal=160, centre_x=100, horizon=60, eye=1.6)


def test_things_stand_in_the_room_and_are_what_they_are_labelled() -> None:
    seen: set[int] = set()
    for seed in range(12):
        canvas = empty()
        things = furniture(np.random.default_rng(seed), -2.0, 2.0, 5.0)
        assert all(0 < depth < 5.0 for depth, _ in things)
        for _, draw in sorted(things, key=lambda thing: -thing[0]):
            draw(canvas)
        seen |= set(np.unique(canvas.label).tolist())
        assert not things or np.nonzero(canvas.label)[0].max() > canvas.horizon
    assert seen == {0, SOFA, TABLE, PERSON}


def test_a_rug_lies_below_the_horizon() -> None:
    canvas = empty()
    rug(np.random.default_rng(0), canvas, -2.0, 2.0, 5.0)
    rows, _ = np.nonzero(canvas.label == FLOOR)
    assert len(rows)
    assert rows.min() > canvas.horizon
