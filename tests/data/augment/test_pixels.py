import numpy as np
import pytest

from switchseg.data.augment.pixels import Blur, Colour, Erasing, Noise
from switchseg.data.augment.transform import FILL, Pair
from tests.data.trees import picture


def pair(image: np.ndarray) -> Pair:
    return Pair(image, np.zeros(image.shape[:2], np.uint8))


def test_colour_changes_colours_only():
    image = picture(1)
    changed = [Colour()(pair(image), np.random.default_rng(seed)).image for seed in range(150)]
    kinds = {c.tobytes() for c in changed}
    assert len(kinds) > 100
    assert image.tobytes() in kinds  # one time in sixteen nothing is drawn


def test_colour_keeps_grey_grey_and_within_range():
    grey = np.full((4, 4, 3), 250, np.uint8)
    for seed in range(30):
        changed = Colour()(pair(grey), np.random.default_rng(seed)).image.astype(int)
        assert np.ptp(changed, axis=-1).max() <= 1
        assert changed.min() > 90


def test_colour_without_any_range_changes_nothing_but_rounding():
    still = Colour(brightness=0, contrast=(1.0, 1.0), saturation=(1.0, 1.0), hue=0)
    for seed in range(20):
        changed = still(pair(picture(1)), np.random.default_rng(seed)).image.astype(int)
        assert np.abs(changed - picture(1)).max() <= 3  # of the way to hue and back


def test_noise_has_the_deviation_that_was_asked_for():
    grey = pair(np.full((200, 200, 3), 128, np.uint8))
    noise = Noise(std=(9.0, 9.0))(grey, np.random.default_rng(0)).image.astype(float) - 128
    assert noise.std() == pytest.approx(9, rel=0.02)
    assert abs(noise.mean()) < 0.2
    bright = Noise(std=(50.0, 50.0))(pair(np.full((50, 50, 3), 255, np.uint8)), np.random.default_rng(0)).image
    assert bright.max() == 255
    assert bright.min() > 0  # saturated, not wrapped


def test_blur_spreads_a_point_and_keeps_the_brightness():
    point = np.zeros((41, 41, 3), np.uint8)
    point[20, 20] = 255
    blurred = Blur(sigma=(1.0, 1.0))(pair(point), np.random.default_rng(0)).image
    assert blurred.max() == pytest.approx(255 / (2 * np.pi), abs=2)
    flat = pair(np.full((20, 20, 3), 77, np.uint8))
    assert (Blur()(flat, np.random.default_rng(0)).image == 77).all()


@pytest.mark.parametrize("ignore", [False, True])
def test_erasing_hides_a_rectangle_of_the_area_and_maybe_its_label(ignore):
    image = pair(np.zeros((100, 160, 3), np.uint8))
    shares = []
    for seed in range(100):
        changed, label = Erasing(ignore=ignore)(image, np.random.default_rng(seed))
        hidden = (changed == FILL).all(axis=-1)
        rows, columns = np.flatnonzero(hidden.any(axis=1)), np.flatnonzero(hidden.any(axis=0))
        assert hidden[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert np.array_equal(label == 255, hidden & ignore)
        shares.append(hidden.mean())
    assert 0.015 < min(shares) < 0.05
    assert 0.15 < max(shares) < 0.21
