import pytest
import torch

from switchseg.data.composed import Subset
from switchseg.data.config import DataConfig
from switchseg.data.datasets import open_dataset
from switchseg.data.loader import build_loader
from switchseg.errors import UserError
from switchseg.preprocessing import RGB
from tests.data.trees import ade_folders, save, values

SIZES = [(40, 60), (60, 40), (37, 53), (50, 50), (64, 41), (45, 90), (33, 34)]


@pytest.fixture
def dataset(tmp_path):
    """Seven images, upright and wide ones."""
    return open_dataset("odgt", ade_folders(tmp_path, SIZES), "train")


def load(dataset, steps=6, start=0, rank=0, world=1, images=2, **settings):
    settings = {"short_sides": (30, 48), "crop_size": (32, 32), "crop_short_side": 40, "workers": 0, **settings}
    return build_loader(
        DataConfig(**settings),
        dataset,
        images_per_rank=images,
        seed=1,
        rank=rank,
        world_size=world,
        start_step=start,
        steps=steps,
        stride=8,
    )


def same(one, other):
    one, other = list(one), list(other)
    assert len(one) == len(other) > 0
    for a, b in zip(one, other, strict=True):
        assert a.names == b.names
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.labels, b.labels)
        assert torch.equal(a.sizes, b.sizes)


def test_the_data_set_stays_as_it_is(dataset):
    for whole in (dataset, Subset(dataset, range(4))):
        load(whole, decoder="simplejpeg")
        assert (whole.decoder, dataset.decoder) == ("pillow", "pillow")


@pytest.mark.parametrize("pipeline", ["short_side", "crop"])
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(dataset, pipeline, workers):
    same(load(dataset, pipeline=pipeline), load(dataset, pipeline=pipeline, workers=workers))


@pytest.mark.parametrize("pipeline", ["short_side", "crop"])
def test_a_run_goes_on_where_it_was_stopped(dataset, pipeline):
    whole = list(load(dataset, steps=9, pipeline=pipeline))
    for start in (1, 4, 8):
        same(whole[start:], load(dataset, steps=9, start=start, pipeline=pipeline))


def test_ranks_share_one_order(dataset):
    together = [batch.names for batch in load(dataset, steps=8)]
    apart = [[batch.names for batch in load(dataset, steps=4, rank=rank, world=2)] for rank in range(2)]
    assert [names for pair in zip(*apart, strict=True) for names in pair] == together


@pytest.mark.parametrize(("images", "world"), [(1, 4), (2, 2), (4, 1)])
def test_the_images_of_a_step_of_crops_are_the_same_on_any_number_of_ranks(dataset, images, world):
    steps = [
        torch.cat([batch.images for batch in ranks])
        for ranks in zip(
            *(load(dataset, steps=3, rank=r, world=world, images=images, pipeline="crop") for r in range(world)),
            strict=True,
        )
    ]
    for step, batch in zip(steps, load(dataset, steps=3, images=4, pipeline="crop"), strict=True):
        assert torch.equal(step, batch.images)


def test_other_seeds_give_other_batches(dataset):
    def first(seed):
        config = DataConfig(workers=0, short_sides=(30,))
        return next(iter(build_loader(config, dataset, images_per_rank=2, seed=seed, steps=1, stride=8)))

    assert {first(seed).names for seed in range(8)} != {first(0).names}


def test_batches_are_uint8_and_int64(dataset):
    batch = next(iter(load(dataset)))
    assert batch.images.dtype == torch.uint8
    assert batch.labels.dtype == batch.sizes.dtype == torch.int64
    assert batch.normalized(RGB).dtype == torch.float32
    moved = batch.to("cpu")
    assert torch.equal(moved.images, batch.images)


def test_length_and_epochs(dataset):
    loader = load(dataset, steps=9, start=2)
    assert len(loader) == 7
    assert [loader.epoch(step) for step in (0, 2, 4, 7)] == [0, 0, 1, 2]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_bad_file_is_one_line_from_any_process(dataset, workers):
    with open(dataset.record(2).image, "wb") as file:
        file.write(b"broken")
    with pytest.raises(UserError, match=r"i2\.png: not an image file") as caught:
        list(load(dataset, workers=workers))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("workers", [0, 2])
def test_label_values_are_checked_before_they_reach_the_device(tmp_path, workers):
    (tmp_path / "classes.txt").write_text("a\nb\n")
    dataset = open_dataset("odgt", ade_folders(tmp_path, [(20, 30)] * 2, values_to=2), "train")
    save(tmp_path / "annotations/training/i1.png", values(0, [0, 200]))
    with pytest.raises(UserError, match=r"annotations/training/i1\.png: label value 200 .* the classes are 1 \.\. 2"):
        list(load(dataset, workers=workers))


def test_skipped_images_are_counted_and_logged(dataset, caplog):
    with open(dataset.record(2).image, "wb") as file:
        file.write(b"broken")
    loader = load(dataset, steps=12, workers=1, on_error="skip")
    assert len(list(loader)) == 12
    assert len(loader.skipped) == 1
    assert [record.getMessage() for record in caplog.records] == [
        f"skipped: {next(iter(loader.skipped))}",
        "1 files were skipped in all (data.on_error: skip)",
    ]


def test_loading_leaves_the_global_random_state_alone(dataset):
    before = torch.get_rng_state()
    list(load(dataset, workers=2))
    assert torch.equal(before, torch.get_rng_state())


def test_an_empty_data_set_is_named(dataset):
    class Empty:
        name = "mine"

        def __len__(self):
            return 0

    with pytest.raises(UserError, match="the data set mine has no images"):
        build_loader(DataConfig(), Empty(), images_per_rank=1, seed=0, steps=1, stride=8)
