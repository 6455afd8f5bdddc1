import numpy as np
import pytest

from switchseg.data.augment.geometry import Crop, Flip, Scale, class_share
from switchseg.data.augment.transform import FILL, Pair
from tests.data.trees import picture, values


def pair(height: int, width: int) -> Pair:
    return Pair(picture(0, height, width), values(0, [0, 1, 2], height, width))


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({"factors": (2.0, 2.0)}, (80, 120)),
        ({"factors": (0.5, 0.5)}, (20, 30)),
        ({"factors": (2.0, 2.0), "short_side": 30}, (60, 90)),
    ],
)
def test_scale_multiplies_the_images_or_the_given_short_side(settings, size):
    assert Scale(**settings)(pair(40, 60), rng()).label.shape == size


def test_strips_are_kept_whole_unless_a_short_side_is_given():
    strip = pair(4, 400)
    assert Scale(factors=(1.0, 1.0))(strip, rng()).label.shape == (4, 400)
    assert Scale(factors=(1.0, 1.0), short_side=100)(strip, rng()).label.shape == (4, 400)


def test_crops_have_one_size_and_pad_with_what_does_not_count():
    image, label = Crop(size=(32, 48))(pair(20, 60), rng())
    assert label.shape == (32, 48)
    assert (label[20:] == 255).all()
    assert (label[:20] != 255).all()
    assert (image[20:] == FILL).all()
    assert Crop(size=(32, 48), pad=False)(pair(20, 60), rng()).label.shape == (20, 48)


def test_flips_exchange_sides():
    image, label = pair(5, 7)
    assert np.array_equal(Flip()((Pair(image, label)), rng()).image, image[:, ::-1])
    assert np.array_equal(Flip(axis="vertical")((Pair(image, label)), rng()).label, label[::-1])


def test_class_share_leaves_the_ignored_out():
    assert class_share(np.array([[0, 0, 0, 1, 255, 255]], np.uint8)) == 0.75
    assert class_share(np.array([[255, 255]], np.uint8)) == 1.0
