"""People are as tall as people, stand where they are put, and are labelled as such."""

import numpy as np

from switchseg.data.scenes.canvas import Canvas
from switchseg.data.scenes.classes import PERSON
from switchseg.data.scenes.people import person


def test_somebody_stands_on_the_ground_between_head_and_feet():
    for seed in range(5):
        canvas = Canvas(200, 120, focal=200, centre_x=60, horizon=80, eye=1.6)
        person(np.random.default_rng(seed), 0.0, 4.0, 0.0, canvas)
        rows, columns = np.nonzero(canvas.label == PERSON)
        # A metre at a depth of 4 m is 50 pixels; the ground there is at 80 + 200 * 1.6 / 4 = 160.
        assert 157 <= rows.max() <= 164
        assert 1.4 * 50 < rows.max() - rows.min() < 2.2 * 50
        assert abs(columns.mean() - 60) < 8
        assert set(np.unique(canvas.label)) == {0, PERSON}
