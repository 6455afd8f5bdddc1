import numpy as np
import pytest

from switchseg.data.augment.transform import FILL, Pair
from switchseg.data.augment.warps import Perspective, Rotation
from tests.data.trees import picture, values

PAIR = Pair(picture(0, 31, 31), values(0, [0, 1, 2], 31, 31))


@pytest.mark.parametrize(("degrees", "turns"), [(0.0, 0), (90.0, 1), (180.0, 2), (-90.0, 3)])
def test_right_angles_turn_counterclockwise_pixel_by_pixel(degrees, turns):
    image, label = Rotation(degrees=(degrees, degrees))(PAIR, np.random.default_rng(0))
    assert np.array_equal(label, np.rot90(PAIR.label, turns))
    assert np.abs(image.astype(int) - np.rot90(PAIR.image, turns)).max() <= 1


def test_the_corners_of_a_turned_image_do_not_count():
    image, label = Rotation(degrees=(45.0, 45.0))(PAIR, np.random.default_rng(0))
    corners = np.s_[::30, ::30]
    assert (label[corners] == 255).all()
    assert (image[corners] == FILL).all()
    assert 0.1 < (label == 255).mean() < 0.25


def test_no_distortion_changes_nothing_and_more_hides_more():
    image, label = Perspective(distortion=0.0)(PAIR, np.random.default_rng(0))
    assert np.array_equal(label, PAIR.label)
    assert np.array_equal(image, PAIR.image)
    hidden = [
        np.mean([(Perspective(distortion=d)(PAIR, np.random.default_rng(s)).label == 255).mean() for s in range(20)])
        for d in (0.2, 0.5, 0.9)
    ]
    assert 0 < hidden[0] < hidden[1] < hidden[2] < 0.9
