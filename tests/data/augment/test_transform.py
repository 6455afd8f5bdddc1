"""What every transform of the registry must hold: the battery that a new one is in as soon as it is registered."""

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchseg.data.augment import TRANSFORMS, build
from switchseg.data.augment.transform import Pair, Transform
from switchseg.errors import UserError

# Settings with which a transform does as much as it may.
STRONG: dict[str, dict[str, Any]] = {
    "scale": {"factors": [0.25, 3.0]},
    "crop": {"size": [23, 31]},
    "flip": {"axis": "vertical"},
    "rotation": {"degrees": [-180.0, 180.0]},
    "perspective": {"distortion": 0.9},
    "blur": {"sigma": [0.1, 5.0]},
    "noise": {"std": [0.0, 100.0]},
    "erasing": {"area": [0.0, 1.0], "ignore": True},
    "class_mix": {"share": 1.0},
}
MOVES_PIXELS = ("scale", "crop", "flip", "rotation", "perspective", "class_mix")


def made(name: str, **changes: Any) -> Transform:
    ((_, transform),) = build([{"name": name, **changes}])
    return transform


def random_pair(rng: np.random.Generator, height: int, width: int, classes: list[int]) -> Pair:
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Pair(image, rng.choice(np.array(classes, np.uint8), (height, width)))


def others(transform: Transform, rng: np.random.Generator, classes: list[int]) -> list[Pair]:
    return [random_pair(rng, *rng.integers(1, 50, 2), classes) for _ in range(transform.others)]


@pytest.mark.parametrize("name", TRANSFORMS)
@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 48), st.integers(1, 48)),
    classes=st.lists(st.integers(0, 254), min_size=1, max_size=5),
    seed=st.integers(0, 2**32),
    strong=st.booleans(),
)
def test_images_stay_bytes_and_labels_gain_no_class(
    name: str, size: tuple[int, int], classes: list[int], seed: int, strong: bool
) -> None:
    transform = made(name, **(STRONG.get(name, {}) if strong else {}))
    rng = np.random.default_rng(seed)
    pair, further = random_pair(rng, *size, classes), others(transform, rng, classes)
    kept = [np.copy(array) for array in (*pair, *(array for other in further for array in other))]
    image, label = transform(pair, np.random.default_rng(seed), *further)
    assert image.dtype == label.dtype == np.uint8
    assert image.shape == (*label.shape, 3)
    assert label.size
    assert set(np.unique(label)) <= {*classes, 255}
    again = transform(pair, np.random.default_rng(seed), *further)
    assert all(np.array_equal(one, two) for one, two in zip((image, label), again, strict=True))
    given_ = (*pair, *(array for other in further for array in other))
    assert all(np.array_equal(before, after) for before, after in zip(kept, given_, strict=True))


def blocks(seed: int, height: int = 96, width: int = 120) -> Pair:
    """Return a sample whose red channel is 40 times its class."""
    label = np.random.default_rng(seed).integers(0, 6, (height // 24, width // 24)).astype(np.uint8)
    label = label.repeat(24, axis=0).repeat(24, axis=1)
    return Pair(np.repeat(label[..., None] * 40, 3, axis=2), label)


@pytest.mark.parametrize("name", MOVES_PIXELS)
@pytest.mark.parametrize("seed", range(5))
def test_image_and_label_move_together(name: str, seed: int) -> None:
    transform = made(name, **{**STRONG[name], "probability": 1.0})
    further = [blocks(100 + seed)] * transform.others
    image, label = transform(blocks(seed), np.random.default_rng(seed), *further)
    framed = cv2.copyMakeBorder(label, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=255)
    whole = cv2.dilate(framed, np.ones((5, 5))) == cv2.erode(framed, np.ones((5, 5)))  # away from borders of classes
    inside = whole[2:-2, 2:-2] & (label != 255)
    assert inside.sum() > 20
    assert np.abs(image[inside][:, 0].astype(int) - 40 * label[inside].astype(int)).max() <= 2


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if name not in MOVES_PIXELS])
def test_labels_stay_where_pixels_do(name: str) -> None:
    pair = blocks(0)
    assert np.array_equal(made(name)(pair, np.random.default_rng(0)).label, pair.label)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_something_changes(name: str) -> None:
    transform = made(name)
    further = [blocks(1)] * transform.others
    results = [transform(blocks(0), np.random.default_rng(seed), *further).image for seed in range(8)]
    assert any(result.shape != (96, 120, 3) or (result != blocks(0).image).any() for result in results)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_probability_that_cannot_be_is_named(name: str) -> None:
    with pytest.raises(UserError, match=rf"^data\.augment: {name}: probability: 1.5; at least 0 and at most 1 was"):
        made(name, probability=1.5)
