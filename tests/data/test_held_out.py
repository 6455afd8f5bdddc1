"""A validation split by names: stable, seeded, never an image of the training."""

import numpy as np
import pytest

from switchseg.classes import Classes
from switchseg.data.datasets import open_dataset
from switchseg.data.held_out import hold_out
from switchseg.data.sample import Sample
from switchseg.errors import UserError


class Named:
    """A data set of a plugin, of nothing but names."""

    def __init__(self, names: list[str]) -> None:
        self.name, self.classes, self.decoder = "named", Classes.unnamed(2), "pillow"
        self.names = names

    def __len__(self) -> int:
        return len(self.names)

    def sizes(self, skip: bool = False) -> np.ndarray:
        return np.arange(2 * len(self)).reshape(-1, 2)

    def read(self, index: int) -> Sample:
        return Sample(np.zeros((1, 1, 3), np.uint8), None, self.names[index])


def names(dataset) -> set[str]:
    return {dataset.read(index).name for index in range(len(dataset))}


def split(count: int, fraction: float = 0.2, seed: int = 0) -> tuple[set[str], set[str]]:
    trained, held = hold_out(Named([f"street/{index}" for index in range(count)]), fraction, seed)
    return names(trained), names(held)


def test_no_image_is_on_both_sides_and_about_the_fraction_is_held_out():
    trained, held = split(1000)
    assert not trained & held
    assert len(trained | held) == 1000
    assert 160 < len(held) < 240  # 200 with a deviation of 13


def test_further_images_move_none_to_the_other_side():
    for small, large in zip(split(300), split(400), strict=True):
        assert small < large


def test_another_seed_holds_out_others():
    assert split(300, seed=0) != split(300, seed=1)


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_folds_hold_out_every_image_once_and_the_first_is_the_usual_one(folds):
    dataset = Named([f"street/{index}" for index in range(100)])
    parts = [hold_out(dataset, 1 / folds, 0, fold) for fold in range(folds)]
    assert sorted(name for _, held in parts for name in names(held)) == sorted(dataset.names)
    assert all(names(trained) == set(dataset.names) - names(held) for trained, held in parts)
    assert names(parts[0][1]) == names(hold_out(dataset, 1 / folds, 0)[1])


@pytest.mark.parametrize("fraction", [1e-9, 1 - 1e-9])
def test_each_side_has_an_image(fraction):
    assert all(split(3, fraction))
    with pytest.raises(UserError, match="2 or more expected"):
        split(1)


def test_the_sizes_are_those_of_the_data_set_and_each_side_has_its_decoder():
    dataset = Named(["a", "b", "c", "d"])
    trained, held = hold_out(dataset, 0.5, 0)
    rows = [*trained.sizes().tolist(), *held.sizes().tolist()]
    assert sorted(rows) == dataset.sizes().tolist()
    trained.decoder = "simplejpeg"
    assert (trained.decoder, held.decoder, dataset.decoder) == ("simplejpeg", "pillow", "pillow")


def test_files_are_split_without_being_read(tiny_camvid):
    dataset = open_dataset("camvid", tiny_camvid, "train")
    trained, held = hold_out(dataset, 0.25, 0)
    assert names(trained) | names(held) == {f"train_{index}" for index in range(8)}


def test_images_of_one_name_are_on_both_sides_too():
    trained, held = hold_out(Named(["a", "a"]), 0.5, 0)
    assert (len(trained), len(held)) == (1, 1)
