import io

import numpy as np
import pytest
from PIL import Image

from switchseg.data.dataset import MissingSplitError
from switchseg.data.datasets import open_dataset
from switchseg.errors import UserError
from tests.data.trees import picture, values

datasets = pytest.importorskip("datasets")
# Libraries that `datasets` loads on demand warn on their own account.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def encoded(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return {"bytes": file.getvalue(), "path": None}


def table(column="annotation"):
    features = datasets.Features({"image": datasets.Image(), column: datasets.Image()})
    rows = {
        "image": [encoded(picture(seed)) for seed in range(3)],
        column: [encoded(values(seed, [0, 1, 2])) for seed in range(3)],
    }
    return datasets.Dataset.from_dict(rows, features=features)


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder with class names, and no cache outside of it."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "dataset.yaml").write_text("classes: [one, two]\nreduce_zero_label: true\n")
    return folder


def check(dataset):
    assert len(dataset) == 3
    assert np.array_equal(dataset.read(2).image, picture(2))
    assert np.array_equal(dataset.read(2).label, values(2, [0, 1, 2]).astype(int) - 1 & 255)
    assert dataset.sizes().tolist() == [[20, 30]] * 3
    assert dataset.read(2).name == "00000002"


@pytest.mark.parametrize("column", ["annotation", "label", "mask"])
def test_parquet_files(root, column):
    (root / "data").mkdir()
    table(column).to_parquet(root / "data/train-00000-of-00001.parquet")
    check(open_dataset("huggingface", root, "train"))


def test_what_save_to_disk_wrote(root):
    datasets.DatasetDict({"validation": table()}).save_to_disk(root)
    check(open_dataset("huggingface", root, "val"))
    with pytest.raises(UserError, match="no split 'train'; there is validation"):
        open_dataset("huggingface", root, "train")


def to_disk(root, train, validation):
    datasets.DatasetDict({"train": train, "validation": validation}).save_to_disk(root)


def to_parquet(root, train, validation):
    train.to_parquet(root / "train.parquet")
    validation.to_parquet(root / "validation.parquet")


@pytest.mark.parametrize("write", [to_disk, to_parquet])
def test_an_empty_split_is_one_line_and_leaves_the_others(root, write):
    write(root, table(), table().select([]))
    check(open_dataset("huggingface", root, "train"))
    with pytest.raises(MissingSplitError, match="data: the split 'val' is empty"):
        open_dataset("huggingface", root, "val")


def test_damaged_files_are_one_line(root):
    datasets.DatasetDict({"train": table()}).save_to_disk(root)
    for name in ("dataset_info.json", "state.json"):
        (root / "train" / name).write_text("[]")
    with pytest.raises(UserError, match="data: no data set could be opened") as caught:
        open_dataset("huggingface", root, "train")
    assert "\n" not in str(caught.value)


def test_without_class_names_it_is_ade20k(root):
    (root / "dataset.yaml").unlink()
    table().to_parquet(root / "train.parquet")
    assert len(open_dataset("huggingface", root, "train").classes) == 150


def test_a_folder_without_data_is_named(root):
    with pytest.raises(UserError, match=r"data: no \*\.parquet file"):
        open_dataset("huggingface", root, "train")


def test_rows_of_two_splits_are_different_images(root):
    datasets.DatasetDict({"train": table(), "validation": table()}).save_to_disk(root)
    parts = [open_dataset("huggingface", root, split) for split in ("train", "validation")]
    assert [part.record(0).image_name for part in parts] == [
        "huggingface train row 0, column image",
        "huggingface val row 0, column image",
    ]


def test_rows_without_splits_are_the_same_images_in_each(root):
    table().save_to_disk(root)
    parts = [open_dataset("huggingface", root, split) for split in ("train", "val")]
    assert {part.record(0).image_name for part in parts} == {"huggingface row 0, column image"}
