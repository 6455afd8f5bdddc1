import numpy as np
import pytest
from PIL import Image

from switchseg.data.resize import nearest_places, resize_image, resize_label
from tests.data.trees import picture, values

SIZES = [(64, 80), (37, 51), (13, 200), (1, 1), (128, 160)]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_pillow_resize_is_pillows(height, width):
    image = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    assert np.array_equal(resize_image(image, height, width, "pillow"), expected)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_torch_resize_is_pillows_but_for_rounding(height, width):
    image = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    expected = resize_image(image, height, width, "pillow").astype(int)
    difference = np.abs(resize_image(image, height, width).astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.005


def test_resize_takes_and_gives_interleaved_pixels():
    resized = resize_image(picture(0, 20, 30), 40, 60)
    assert resized.flags["C_CONTIGUOUS"]  # the slow way round gives planes


@pytest.mark.parametrize(("length", "target"), [(683, 500), (683, 800), (7, 3), (3, 7), (1, 5), (512, 512), (480, 499)])
def test_nearest_places_are_pillows(length, target):
    line = np.arange(length, dtype=np.uint16)[None]
    expected = np.asarray(Image.fromarray(line).resize((target, 1), Image.Resampling.NEAREST))[0]
    assert np.array_equal(nearest_places(length, target), expected)


def test_labels_at_an_eighth_are_pixel_4_of_8():
    label = values(0, list(range(10)), 123, 77)
    # As in 2018: Pillow's nearest to the image's size, then Pillow's nearest to an eighth of the padded size.
    resized = np.asarray(Image.fromarray(label).resize((160, 200), Image.Resampling.NEAREST))
    eighth = np.asarray(Image.fromarray(resized).resize((20, 25), Image.Resampling.NEAREST))
    assert np.array_equal(resize_label(label, 200, 160, 8), eighth)
    assert np.array_equal(resize_label(label, 200, 160, 8), resized[4::8, 4::8])
