import random

import numpy as np
import pytest
import torch

from switchseg.data.augment import build
from switchseg.data.augment.transform import Pair, Transform
from switchseg.errors import UserError
from tests.data.augment.test_transform import blocks


def made(name: str, **arguments: object) -> Transform:
    ((_, transform),) = build([{"name": f"torchvision.{name}", **arguments}])
    return transform


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("RandomPerspective", {"distortion_scale": 0.6, "p": 1.0}),
        ("RandomRotation", {"degrees": 40, "interpolation": "bilinear"}),
        ("RandomAffine", {"degrees": 10, "translate": [0.2, 0.2], "fill": 7}),
        ("RandomResizedCrop", {"size": [48, 64]}),
        ("RandomZoomOut", {"p": 1.0}),
        ("ElasticTransform", {}),
        ("ColorJitter", {"brightness": 0.5, "hue": 0.2}),
        ("GaussianNoise", {}),
    ],
)
def test_image_and_label_are_transformed_together_by_our_generator(name: str, arguments: dict[str, object]) -> None:
    transform, pair = made(name, **arguments), blocks(0)
    image, label = transform(pair, np.random.default_rng(3))
    assert image.dtype == label.dtype == np.uint8
    assert image.shape == (*label.shape, 3)
    assert set(np.unique(label)) <= {*range(6), 255}
    again = transform(pair, np.random.default_rng(3))
    assert np.array_equal(image, again.image)
    assert np.array_equal(label, again.label)
    others = [transform(pair, np.random.default_rng(seed)).image for seed in range(4, 8)]
    assert any(other.shape != image.shape or (other != image).any() for other in others)


def test_what_has_no_pixels_is_ignored() -> None:
    pair = Pair(np.full((40, 60, 3), 200, np.uint8), np.zeros((40, 60), np.uint8))
    image, label = made("RandomRotation", degrees=[45, 45])(pair, np.random.default_rng(0))
    assert (label == 255).any()
    assert (image[label == 255] == (124, 116, 104)).all()
    assert (image[label == 0] == 200).all()


def test_nobody_elses_random_numbers_change() -> None:
    torch.manual_seed(5)
    before = (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())
    made("RandomPerspective", p=1.0)(blocks(0), np.random.default_rng(0))
    after = (torch.get_rng_state(), np.random.get_state()[1], random.getstate())
    assert torch.equal(before[0], after[0])
    assert np.array_equal(before[1], after[1])
    assert before[2] == after[2]


@pytest.mark.parametrize(
    ("name", "arguments", "complaint"),
    [
        ("ToDtype", {"dtype": "float32"}, "ToDtype"),
        ("RandomCrop", {"size": [500, 500]}, "RandomCrop: "),
        ("Normalize", {"mean": [0.5], "std": [0.5]}, "Normalize"),
        ("CutMix", {"num_classes": 5}, "CutMix: "),
        ("Grayscale", {}, r"Grayscale makes torch\.uint8 \[1, 96, 120\] with a label of"),
    ],
)
def test_what_makes_no_training_sample_is_one_line(name: str, arguments: dict[str, object], complaint: str) -> None:
    with pytest.raises(UserError, match=rf"^data\.augment: .*torchvision\.{complaint}") as caught:
        made(name, **arguments)(blocks(0), np.random.default_rng(0))
    assert "\n" not in str(caught.value)
