"""The camera: perspective, what hides what, and what it cannot see."""

import numpy as np

from switchseg.data.scenes import classes
from switchseg.data.scenes.canvas import Canvas, ellipse, rectangle
from switchseg.data.scenes.textures import plain


def test_perspective_of_the_ground():
    canvas = Canvas(100, 200, focal=100, centre_x=100, horizon=40, eye=2.0)
    canvas.paint("y", 0, rectangle((-1, 1), (4, 8)), classes.ROAD + 1, plain((100, 100, 100)))
    rows, columns = np.nonzero(canvas.label)
    # A point at (x, 0, z) is seen at (100 + 100 x / z, 40 + 100 * 2 / z).
    assert (rows.min(), rows.max()) == (65, 90)
    near = columns[rows == 89]
    assert (near.min(), near.max()) in ((75, 125), (76, 125))
    assert np.ptp(columns[rows == 66]) < np.ptp(near) * 0.6


def test_what_is_nearer_hides_what_is_behind():
    canvas = Canvas(60, 60, focal=60, centre_x=30, horizon=30, eye=1.0)
    canvas.box((-1, 1), (0, 2), (5, 6), 1, plain((200, 0, 0)))
    behind = int((canvas.label == 1).sum())
    canvas.box((-0.4, 0.4), (0, 1.5), (3, 4), 2, plain((0, 0, 200)))
    assert 0 < (canvas.label == 1).sum() < behind
    assert (canvas.label == 2).any()


def test_nothing_is_painted_behind_the_camera():
    canvas = Canvas(30, 30, focal=30, centre_x=15, horizon=15, eye=1.0)
    canvas.paint("z", -2, rectangle((-1, 1), (0, 2)), 5, plain((1, 1, 1)))
    canvas.paint("x", 1, rectangle((-8, -1), (0, 2)), 5, plain((1, 1, 1)))
    assert not canvas.label.any()


def test_a_shadow_darkens_and_keeps_the_labels():
    canvas = Canvas(40, 40, focal=40, centre_x=20, horizon=10, eye=1.0)
    canvas.paint("y", 0, rectangle((-2, 2), (1, 9)), 3, plain((200, 200, 200), 0))
    labels, before = canvas.label.copy(), canvas.image.sum()
    canvas.darken("y", 0, ellipse(0, 3, 0.5, 0.5), 0.5)
    assert np.array_equal(canvas.label, labels)
    assert canvas.image.sum() < before


def test_haze_draws_far_things_to_its_colour():
    near, far = (Canvas(20, 20, focal=20, centre_x=10, horizon=10, eye=1.0) for _ in range(2))
    for canvas, depth in ((near, 2.0), (far, 80.0)):
        canvas.haze, canvas.haze_distance = (250, 250, 250), 20.0
        canvas.paint("z", depth, rectangle((-100, 100), (-100, 100)), 1, plain((10, 10, 10), 0))
    assert near.image.mean() < 60
    assert far.image.mean() > 240
