from pathlib import Path

import numpy as np
from PIL import Image

from switchseg.classes import Classes
from switchseg.engine.pictures import label_image, legend, overlay, save, shares_of

CLASSES = Classes(("road", "sky"), ((10, 20, 30), (200, 100, 0)))


def test_a_label_image_holds_the_indices_in_the_colours_of_the_classes(tmp_path: Path) -> None:
    labels = np.array([[0, 1, 255]], np.uint8)
    save(label_image(labels, CLASSES), tmp_path / "labels.png")
    with Image.open(tmp_path / "labels.png") as image:
        np.testing.assert_array_equal(np.asarray(image), labels)
        assert np.asarray(image.convert("RGB")).tolist() == [[[10, 20, 30], [200, 100, 0], [0, 0, 0]]]


def test_more_classes_than_a_byte_holds_are_written_with_16_bits(tmp_path: Path) -> None:
    labels = np.array([[0, 255, 256, 299]], np.int32)
    save(label_image(labels, Classes.unnamed(300)), tmp_path / "labels.png")
    with Image.open(tmp_path / "labels.png") as image:
        np.testing.assert_array_equal(np.asarray(image), labels)


def test_an_overlay_leaves_ignored_pixels_alone() -> None:
    image = np.full((1, 2, 3), 100, np.uint8)
    assert overlay(image, np.array([[1, 255]], np.uint8), CLASSES).tolist() == [[[150, 100, 50], [100, 100, 100]]]


def test_an_overlay_is_the_same_whatever_it_is_mixed_in(monkeypatch) -> None:
    generator = np.random.default_rng(0)
    image, labels = generator.integers(0, 256, (7, 5, 3), np.uint8), generator.integers(0, 3, (7, 5), np.uint8)
    whole = overlay(image, labels, CLASSES, 0.3)
    monkeypatch.setattr("switchseg.engine.pictures._BAND_PIXELS", 11)
    np.testing.assert_array_equal(overlay(image, labels, CLASSES, 0.3), whole)


def test_a_legend_shows_every_colour() -> None:
    classes = Classes.unnamed(60)
    colours = {tuple(pixel) for pixel in np.asarray(legend(classes, rows=25)).reshape(-1, 3).tolist()}
    assert set(classes.palette) <= colours


def test_shares_are_of_all_pixels() -> None:
    assert shares_of(np.array([[0, 0, 1, 255]], np.uint8), 2) == [0.5, 0.25]
