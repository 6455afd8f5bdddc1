import cv2
import numpy as np

from switchseg.data.order import generator
from switchseg.data.scenes import classes
from switchseg.data.scenes.canvas import Canvas, rectangle
from switchseg.data.scenes.classes import SCENE_CLASSES
from switchseg.data.scenes.generate import make_scene
from switchseg.data.scenes.textures import plain


def scenes(count, seed=0):
    return [make_scene(generator(seed, 0, number)) for number in range(count)]


def test_a_seed_stands_for_one_scene():
    one, again, other = make_scene(generator(1, 0)), make_scene(generator(1, 0)), make_scene(generator(2, 0))
    assert np.array_equal(one.image, again.image)
    assert np.array_equal(one.annotation, again.annotation)
    assert one.image.shape != other.image.shape or not np.array_equal(one.image, other.image)


def test_scenes_are_varied():
    made = scenes(50)
    shapes = np.array([scene.annotation.shape for scene in made])
    assert shapes.min() >= 120
    assert shapes.min(axis=1).max() <= 220
    assert 0.1 < (shapes[:, 0] > shapes[:, 1]).mean() < 0.5
    pixels = np.bincount(np.concatenate([scene.annotation.ravel() for scene in made]), minlength=18)
    assert len(pixels) == len(SCENE_CLASSES) + 1 == 18
    shares = pixels / pixels.sum()
    assert (shares > 0).all()  # every class occurs, and some edges are unlabelled
    assert shares[0] < 0.05
    assert shares[1:].max() > 30 * shares[1:].min()  # imbalance
    assert all(scene.image.dtype == scene.annotation.dtype == np.uint8 for scene in made)
    assert all(scene.image.std() > 15 for scene in made)


def test_only_edges_are_unlabelled():
    for scene in scenes(10):
        unlabelled = (scene.annotation == 0).astype(np.uint8)
        # An edge is two pixels wide; where edges meet some more are left out, but never a whole area.
        assert cv2.erode(unlabelled, np.ones((5, 5), np.uint8)).mean() < 0.001
        assert cv2.erode(unlabelled, np.ones((9, 9), np.uint8)).sum() == 0


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
