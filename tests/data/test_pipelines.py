import math

import numpy as np
import pytest
import torch

from benchmarks.plain_2018 import plain_batch
from switchseg.data.config import DataConfig
from switchseg.data.datasets import open_dataset
from switchseg.data.order import generator
from switchseg.data.pipelines import Crop, ShortSide
from switchseg.errors import UserError
from switchseg.geometry import fit_short_side, round_up
from switchseg.preprocessing import BGR
from tests.data.trees import ade_folders, picture, save, values

SIZES = [(40, 60), (60, 40), (37, 53), (50, 50), (64, 41), (45, 90), (33, 34), (80, 39)]


@pytest.fixture
def dataset(tmp_path):
    """Eight images, upright and wide ones."""
    return open_dataset("odgt", ade_folders(tmp_path, SIZES), "train")


def short_side(dataset, size=2, stride=8, **settings):
    settings = {"short_sides": (30, 48, 71), "resize": "pillow", **settings}
    return ShortSide(DataConfig(**settings), dataset, size, 5, stride)


def made(pipeline, numbers):
    order = pipeline.order()
    return [pipeline.batch(number, pipeline.records(order, number)) for number in numbers]


def drawn(pipeline, number):
    """Return the short side and the flips that sub-batch `number` drew."""
    rng = generator(pipeline.seed, 2, number)
    side = pipeline.config.short_sides[rng.integers(len(pipeline.config.short_sides))]
    return side, rng.random(pipeline.size) < 0.5


def test_batches_are_those_of_2018_to_the_last_bit(dataset):
    pipeline = short_side(dataset, size=3)
    order = pipeline.order()
    flips_seen = set()
    for number in range(12):
        records = pipeline.records(order, number)
        batch = pipeline.batch(number, records)
        side, flips = drawn(pipeline, number)
        files = [dataset.record(int(record)) for record in records]
        images, labels = plain_batch(
            [f.image for f in files], [f.label for f in files], dataset.sizes()[records].tolist(), side, flips
        )
        assert torch.equal(batch.normalized(BGR), torch.from_numpy(images))
        assert torch.equal(batch.labels, torch.from_numpy(np.where(labels < 0, 255, labels)))
        flips_seen.update(flips.tolist())
    assert flips_seen == {True, False}


def test_fast_resize_differs_by_rounding_alone(dataset):
    exact, fast = (made(short_side(dataset, resize=how), range(8)) for how in ("pillow", "torch"))
    for a, b in zip(exact, fast, strict=True):
        assert torch.equal(a.labels, b.labels)
        assert (a.images.int() - b.images.int()).abs().max() <= 1


def test_padding_is_zero_after_normalizing_and_ignored_in_labels(dataset):
    for batch in made(short_side(dataset, size=3), range(6)):
        values_ = batch.normalized(BGR)
        for image, label, (height, width) in zip(values_, batch.labels, batch.sizes.tolist(), strict=True):
            assert not image[:, height:].any()
            assert not image[:, :, width:].any()
            assert image[:, :height, :width].any()
            assert (label[(height + 3) // 8 :] == 255).all()
            assert (label[:, (width + 3) // 8 :] == 255).all()
        assert values_.is_contiguous()


def test_one_short_side_for_the_whole_sub_batch(dataset):
    for number, batch in enumerate(made(short_side(dataset), range(10))):
        side, _ = drawn(short_side(dataset), number)
        assert all(min(size) in (side - 1, side) for size in batch.sizes.tolist())


@pytest.mark.parametrize(("multiple", "stride"), [(8, 8), (8, 4), (32, 4), (8, 32), (1, 1)])
def test_sizes_are_multiples_of_the_padding_and_the_stride(dataset, multiple, stride):
    for batch in made(short_side(dataset, stride=stride, pad_multiple=multiple), range(4)):
        height, width = batch.images.shape[-2:]
        assert height % math.lcm(multiple, stride) == width % math.lcm(multiple, stride) == 0
        assert batch.labels.shape[-2:] == (height // stride, width // stride)


def test_without_flip_nothing_is_mirrored(dataset):
    pipeline = short_side(dataset, short_sides=(40,), flip=False)
    index = next(i for i, size in enumerate(SIZES) if size == (40, 60))
    batch = pipeline.batch(0, np.array([index, index]))
    assert np.array_equal(batch.images[1, :, :40, :60].permute(1, 2, 0).numpy(), picture(index, 40, 60))


def test_sizes_of_the_whole_of_ade20k_follow_the_2018_rule(shared_data):
    dataset = open_dataset("odgt", shared_data / "ade20k_sample", "train")
    sizes = dataset.sizes()
    pipeline = ShortSide(DataConfig(), dataset, 2, 0, 8)
    order = pipeline.order()
    shown = np.concatenate([pipeline.records(order, number) for number in range(20_210 // 2 - 1)])
    assert len(np.unique(shown)) == len(shown) >= 20_208
    for pair in shown.reshape(-1, 2):
        assert len({height > width for height, width in sizes[pair].tolist()}) == 1
    for side in (300, 375, 450, 525, 600):
        for height, width in sizes.tolist():
            scale = min(side / min(height, width), 1000 / max(height, width))
            target = int(height * scale), int(width * scale)
            assert fit_short_side(height, width, side) == target
            assert round_up(target[0], 8) == ((target[0] - 1) // 8 + 1) * 8


def crop(dataset, size=2, stride=1, **settings):
    settings = {"crop_size": (32, 48), "crop_short_side": 40, "pipeline": "crop", **settings}
    return Crop(DataConfig(**settings), dataset, size, 5, stride)


def test_crops_have_one_size_and_keep_image_and_label_together(tmp_path):
    # The red channel tells the class, so it shows whether both were cut alike.
    for number in range(4):
        label = values(number, [1, 2, 3], 6, 8).repeat(10, axis=0).repeat(10, axis=1)
        save(tmp_path / f"images/training/{number}.png", np.repeat(label[..., None] * 60, 3, axis=2))
        save(tmp_path / f"annotations/training/{number}.png", label)
    dataset = open_dataset("ade20k", tmp_path, "train")
    for batch in made(crop(dataset, photometric=False, crop_scales=(1.0, 1.0), crop_short_side=60), range(6)):
        assert batch.images.shape == (2, 3, 32, 48)
        assert batch.sizes.tolist() == [[32, 48]] * 2
        assert torch.equal(batch.images[:, 0].long(), (batch.labels + 1) * 60)


def test_small_images_are_padded_to_the_crop(dataset):
    batch = made(crop(dataset, crop_scales=(0.5, 0.5)), [0])[0]
    assert batch.images.shape[-2:] == (32, 48)
    for image, label, (height, width) in zip(batch.images, batch.labels, batch.sizes.tolist(), strict=True):
        assert (height, width) < (32, 48)
        assert not image[:, height:].any()
        assert (label[height:] == 255).all()
        assert (label[:, width:] == 255).all()


def test_labels_at_a_stride_are_pixels_of_the_full_ones(dataset):
    full, strided = made(crop(dataset), range(3)), made(crop(dataset, stride=8), range(3))
    for a, b in zip(full, strided, strict=True):
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.labels[:, 4::8, 4::8], b.labels)


def test_a_crop_size_that_does_not_fit_the_stride_is_named(dataset):
    with pytest.raises(UserError, match="data.crop_size: 30 48; multiples of the labels' stride 8"):
        crop(dataset, stride=8, crop_size=(30, 48))


def test_a_class_that_fills_the_crop_is_avoided(tmp_path):
    label = np.ones((64, 256), np.uint8)
    label[:, 224:] = np.arange(2, 34).repeat(64).reshape(32, 64).T  # variety only at the right edge
    save(tmp_path / "images/training/a.png", picture(0, 64, 256))
    save(tmp_path / "annotations/training/a.png", label)
    dataset = open_dataset("ade20k", tmp_path, "train")

    def share(max_share):
        settings = {"crop_scales": (1.0, 1.0), "crop_short_side": 64, "crop_max_share": max_share}
        batches = made(crop(dataset, size=1, **settings), range(60))
        return np.mean([(batch.labels == 0).float().mean().item() for batch in batches])

    assert share(0.75) < share(1.0) - 0.05


def test_the_order_and_augmentation_of_crops_do_not_depend_on_the_ranks(dataset):
    def stream(size, world):
        pipeline = crop(dataset, size=size)
        order = pipeline.order()
        return [pipeline.batch(n, pipeline.records(order, n)) for n in range(12 // size // world * world)]

    one, two, four = stream(1, 4), stream(2, 2), stream(4, 1)
    images = [torch.cat([batch.images for batch in run]) for run in (one, two, four)]
    labels = [torch.cat([batch.labels for batch in run]) for run in (one, two, four)]
    names = [sum((batch.names for batch in run), ()) for run in (one, two, four)]
    assert names[0] == names[1] == names[2]
    for other in (1, 2):
        assert torch.equal(images[0], images[other])
        assert torch.equal(labels[0], labels[other])


def test_an_epoch_of_crops_shows_every_image_once(dataset):
    shown = sum((batch.names for batch in made(crop(dataset), range(4))), ())
    assert sorted(shown) == sorted(f"i{number}" for number in range(8))


@pytest.mark.parametrize("pipeline", [short_side, crop])
def test_an_image_without_label_cannot_be_trained_on(tmp_path, pipeline):
    save(tmp_path / "a.png", picture(0))
    (tmp_path / "train.odgt").write_text('{"fpath_img": "a.png"}\n')
    with pytest.raises(UserError, match="a: an image without label cannot be trained on"):
        made(pipeline(open_dataset("odgt", tmp_path, "train"), size=1), [0])


@pytest.mark.parametrize("pipeline", [short_side, crop])
def test_one_pixel_and_very_long_images_become_batches(tmp_path, pipeline):
    dataset = open_dataset("odgt", ade_folders(tmp_path, [(1, 1), (1, 900), (900, 1)], values_to=0), "train")
    for batch in made(pipeline(dataset, size=1), range(3)):
        assert batch.images.shape[0] == 1
        assert (batch.sizes >= 1).all()


@pytest.mark.parametrize("pipeline", [short_side, crop])
def test_skipping_replaces_what_cannot_be_read_and_says_so(dataset, pipeline):
    bad = dataset.record(3).image
    with open(bad, "wb") as file:
        file.write(b"broken")
    skipping = pipeline(dataset, on_error="skip", size=4)
    batches = made(skipping, range(2))
    reasons = sum((batch.skipped for batch in batches), ())
    assert len(reasons) >= 1
    assert all(bad in reason for reason in reasons)
    assert all(len(batch.names) == 4 and "i3" not in batch.names for batch in batches)
    again = made(skipping, range(2))
    assert all(torch.equal(a.images, b.images) for a, b in zip(batches, again, strict=True))
    with pytest.raises(UserError, match="i3.png: not an image file"):
        made(pipeline(dataset, size=4), range(2))


def test_skipping_copes_with_files_whose_size_cannot_be_read(tmp_path):
    ade_folders(tmp_path, SIZES)
    (tmp_path / "annotations/training/i3.png").write_bytes(b"broken")
    dataset = open_dataset("ade20k", tmp_path, "train")
    batches = made(short_side(dataset, on_error="skip", size=4), range(2))
    assert any("i3.png" in reason for batch in batches for reason in batch.skipped)
    with pytest.raises(UserError, match="i3.png: not an image file"):
        short_side(open_dataset("ade20k", tmp_path, "train"))


def test_when_nothing_can_be_read_skipping_ends(tmp_path):
    dataset = open_dataset("odgt", ade_folders(tmp_path, [(20, 30)] * 3), "train")
    for number in range(3):
        (tmp_path / f"images/training/i{number}.png").write_bytes(b"")
    with pytest.raises(UserError, match="too many to skip"):
        made(short_side(dataset, on_error="skip"), [0])
