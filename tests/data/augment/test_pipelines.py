"""`data.augment` in every pipeline."""

import cv2
import numpy as np
import pytest
import torch

from switchseg.data import PIPELINES
from switchseg.data.augment import TRANSFORMS
from switchseg.data.augment.geometry import class_share
from switchseg.data.augment.pixels import Colour
from switchseg.data.augment.transform import Pair
from switchseg.data.config import DataConfig
from switchseg.data.datasets import open_dataset
from switchseg.data.order import generator
from switchseg.geometry import fit_short_side
from tests.data.trees import ade_folders

SIZES = [(40, 60), (60, 40), (37, 53), (50, 50), (64, 41), (45, 90), (33, 34), (80, 39)]
FIRST = (
    {"name": "scale"},
    {"name": "class_mix"},
    {"name": "crop", "size": [32, 48]},
    {"name": "torchvision.RandomPerspective"},
)
LIST = (*FIRST, *({"name": name} for name in TRANSFORMS if name not in {entry["name"] for entry in FIRST}))
"""All that are registered, those first that decide on the size."""


@pytest.fixture
def dataset(tmp_path):
    """Eight images, upright and wide ones."""
    return open_dataset("odgt", ade_folders(tmp_path, SIZES), "train")


def made(dataset, numbers=range(4), size=2, stride=8, **settings):
    settings = {"short_sides": (30, 48), "crop_size": (32, 48), "crop_short_side": 40, **settings}
    config = DataConfig(**settings)
    pipeline = PIPELINES[config.pipeline](config, dataset, size, 5, stride)
    order = pipeline.order()
    return [pipeline.batch(number, pipeline.records(order, number)) for number in numbers]


@pytest.mark.parametrize("pipeline", PIPELINES)
@pytest.mark.parametrize("stride", [1, 8])
def test_a_list_that_does_nothing_changes_nothing(dataset, pipeline, stride):
    still = {"augment": ({"name": "noise", "std": [0.0, 0.0]},), "pipeline": pipeline, "stride": stride}
    for plain, listed in zip(made(dataset, pipeline=pipeline, stride=stride), made(dataset, **still), strict=True):
        assert torch.equal(plain.images, listed.images)
        assert torch.equal(plain.labels, listed.labels)
        assert torch.equal(plain.sizes, listed.sizes)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_pipeline_takes_the_whole_list(dataset, pipeline):
    plain, listed = made(dataset, pipeline=pipeline), made(dataset, pipeline=pipeline, augment=LIST)
    again = made(dataset, pipeline=pipeline, augment=LIST)
    assert [batch.names for batch in plain] == [batch.names for batch in listed]
    for batch, same in zip(listed, again, strict=True):
        assert batch.images.shape == (2, 3, 32, 48)
        assert batch.labels.shape == (2, 4, 6)
        assert torch.equal(batch.images, same.images)
        assert torch.equal(batch.labels, same.labels)


@pytest.mark.parametrize("pipeline", ["crop", "augment"])
def test_augmentation_does_not_depend_on_the_ranks(dataset, pipeline):
    settings = {"pipeline": pipeline, "augment": LIST}
    one, four = made(dataset, range(12), size=1, **settings), made(dataset, range(3), size=4, **settings)
    assert torch.equal(torch.cat([batch.images for batch in one]), torch.cat([batch.images for batch in four]))
    assert torch.equal(torch.cat([batch.labels for batch in one]), torch.cat([batch.labels for batch in four]))


def test_images_stay_as_they_are_stored_without_a_list(dataset):
    for batch in made(dataset, pipeline="augment", stride=1):
        for image, label, (height, width), name in zip(
            batch.images, batch.labels, batch.sizes.tolist(), batch.names, strict=True
        ):
            sample = dataset.read(int(name[1:]))
            assert torch.equal(image[:, :height, :width].permute(1, 2, 0), torch.from_numpy(sample.image))
            assert torch.equal(label[:height, :width], torch.from_numpy(sample.label).long())
            assert (label[height:] == 255).all()


def test_what_is_mixed_in_is_skipped_like_any_other_image(dataset):
    with open(dataset.record(3).image, "wb") as file:
        file.write(b"broken")
    mixed = ({"name": "class_mix", "probability": 1.0},)
    batches = made(dataset, range(8), pipeline="augment", augment=mixed, on_error="skip")
    assert any("i3.png" in reason for batch in batches for reason in batch.skipped)


def test_crops_larger_than_the_crop_size_are_padded_alike(dataset):
    (batch,) = made(dataset, [0], pipeline="crop", augment=({"name": "scale", "factors": [2.0, 2.0]},))
    assert batch.images.shape[-2] > 32
    assert batch.images.shape[-2] % 8 == batch.images.shape[-1] % 8 == 0


def test_the_crop_pipeline_draws_from_one_generator_as_ever(dataset):
    """Scale, window, flip, colours: in this order, so that runs of earlier versions can be repeated."""
    batches = made(dataset, range(4), stride=1, pipeline="crop")
    for place in range(8):
        rng = generator(5, 3, place)
        batch = batches[place // 2]
        sample = dataset.read(int(batch.names[place % 2][1:]))
        short_side = max(1, round(40 * rng.uniform(0.5, 2.0)))
        height, width = fit_short_side(*sample.label.shape, short_side, 4 * short_side)
        image = cv2.resize(sample.image, (width, height), interpolation=cv2.INTER_LINEAR)
        label = cv2.resize(sample.label, (width, height), interpolation=cv2.INTER_NEAREST)
        for _ in range(10):
            top, left = rng.integers(max(0, height - 32) + 1), rng.integers(max(0, width - 48) + 1)
            window = np.s_[top : top + 32, left : left + 48]
            if class_share(label[window][::4, ::4]) <= 0.75:
                break
        pair = Pair(image[window], label[window])
        if rng.random() < 0.5:
            pair = Pair(pair.image[:, ::-1], pair.label[:, ::-1])
        image, label = Colour()(Pair(np.ascontiguousarray(pair.image), pair.label), rng)
        height, width = label.shape
        assert np.array_equal(batch.images[place % 2, :, :height, :width].permute(1, 2, 0).numpy(), image)
        assert np.array_equal(batch.labels[place % 2, :height, :width].numpy(), label)
