import cv2
import numpy as np

from switchseg.data.order import generator
from switchseg.data.scenes.classes import SCENE_CLASSES
from switchseg.data.scenes.scene import make_scene


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


def test_styles_differ_as_much_as_they_are_told_to():
    def spread_of_brightness(style_spread):
        made = (make_scene(generator(0, False, number), style_spread) for number in range(6))
        return np.std([scene.image.mean() for scene in made])

    assert spread_of_brightness(0) < spread_of_brightness(1) < spread_of_brightness(4)
    usual, strange = (make_scene(generator(0, False, 1), spread) for spread in (1, 4))
    assert np.array_equal(usual.image, make_scene(generator(0, False, 1)).image)
    assert np.array_equal(usual.annotation, strange.annotation)
