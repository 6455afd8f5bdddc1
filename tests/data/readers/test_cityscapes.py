import numpy as np
import pytest

from switchseg.data.datasets import open_dataset
from tests.data.trees import picture, save, values

TRAIN_IDS = {7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13}
TRAIN_IDS |= {27: 14, 28: 15, 31: 16, 32: 17, 33: 18}


@pytest.fixture
def root(tmp_path):
    """Two cities with one image each, as published."""
    for seed, city in enumerate(("aachen", "zurich")):
        stem = f"{city}_000000_000019"
        save(tmp_path / f"leftImg8bit/train/{city}/{stem}_leftImg8bit.png", picture(seed))
        stored = values(seed, [*range(34), 255])
        save(tmp_path / f"gtFine/train/{city}/{stem}_gtFine_labelIds.png", stored)
        save(tmp_path / f"gtFine/train/{city}/{stem}_gtFine_instanceIds.png", stored)
        save(tmp_path / f"gtFine/train/{city}/{stem}_gtFine_color.png", picture(9))
    return tmp_path


def test_published_ids_become_the_19_classes(root):
    dataset = open_dataset("cityscapes", root, "train")
    assert len(dataset) == 2
    assert len(dataset.classes) == 19
    stored = values(1, [*range(34), 255])
    expected = np.vectorize(lambda value: TRAIN_IDS.get(value, 255))(stored)
    assert np.array_equal(dataset.read(1).label, expected)
    assert np.array_equal(dataset.read(1).image, picture(1))
    assert dataset.read(1).name == "zurich__zurich_000000_000019"


def test_train_ids_are_preferred(root):
    for seed, city in enumerate(("aachen", "zurich")):
        stored = values(seed, [*range(19), 255])
        save(root / f"gtFine/train/{city}/{city}_000000_000019_gtFine_labelTrainIds.png", stored)
    dataset = open_dataset("cityscapes", root, "train")
    assert np.array_equal(dataset.read(0).label, values(0, [*range(19), 255]))


def test_a_half_converted_data_set_is_read_by_the_published_ids(root):
    stored = values(5, [*range(19), 255])
    save(root / "gtFine/train/aachen/aachen_000000_000019_gtFine_labelTrainIds.png", stored)
    dataset = open_dataset("cityscapes", root, "train")
    assert len(dataset) == 2
    for seed in range(2):
        expected = np.vectorize(lambda value: TRAIN_IDS.get(value, 255))(values(seed, [*range(34), 255]))
        assert np.array_equal(dataset.read(seed).label, expected)
