import numpy as np
import pytest
import torch

from switchseg.data.config import DataConfig
from switchseg.data.datasets import open_dataset
from switchseg.distributed import World
from switchseg.engine.data_checks import readable, require_apart, require_two_classes
from switchseg.engine.setup import open_training, open_validation
from switchseg.errors import UserError
from tests.data.trees import picture, save, values

WORLD = World(rank=0, size=1, device=torch.device("cpu"))


def write(root, choices, names="a\nb\n", count=4):
    root.mkdir(exist_ok=True)
    (root / "classes.txt").write_text(names)
    for seed in range(count):
        save(root / f"images/val/{seed}.png", picture(seed))
        save(root / f"labels/val/{seed}.png", values(seed, choices))
    return open_dataset("folder", root, "val")


def test_two_classes_are_enough_wherever_they_are(tmp_path):
    dataset = write(tmp_path, [0, 255])
    save(tmp_path / "labels/val/3.png", values(0, [1]))
    (tmp_path / "labels/val/2.png").write_bytes(b"broken")
    require_two_classes(dataset)


def test_nothing_is_written_among_the_files_of_a_data_set(tmp_path):
    dataset = write(tmp_path, [0, 1])
    for folder in ("images/val", "labels/val", "images/../labels/val"):
        with pytest.raises(UserError, match="files of the data set folder lie there"):
            require_apart(dataset, tmp_path / folder)
    require_apart(dataset, tmp_path / "elsewhere")
    require_apart(dataset, None)


@pytest.mark.parametrize(
    ("names", "choices", "complaint"),
    [
        ("a\nb\n", [0, 255], "its 4 labels hold no class but 'a'"),
        ("a\nb\n", [255], "its 4 labels hold no class, all is ignored"),
        ("a\n", [0, 255], "one class, 'a'"),
    ],
)
def test_one_class_is_nothing_to_train(tmp_path, names, choices, complaint):
    with pytest.raises(UserError, match=f"{complaint}.*check-data"):
        require_two_classes(write(tmp_path, choices, names))


def test_a_whole_split_is_handed_on_as_it_is(tmp_path, caplog):
    dataset = write(tmp_path / "a", [0, 1])
    assert readable(dataset, write(tmp_path / "b", [0, 1]), DataConfig(), WORLD) is dataset
    assert not caplog.records


def test_what_cannot_be_used_is_found_or_left_out(tmp_path, caplog):
    dataset = write(tmp_path, [0, 1])
    save(tmp_path / "labels/val/1.png", values(1, [0, 77]))
    (tmp_path / "images/val/2.png").write_bytes((tmp_path / "images/val/2.png").read_bytes()[:100])
    with pytest.raises(UserError, match=r"1\.png: label value 77 .* \(2 of 4 images .* cannot be used\)$"):
        readable(dataset, dataset, DataConfig(), WORLD)
    rest = readable(dataset, dataset, DataConfig(on_error="skip"), WORLD)
    assert [rest.read(index).name for index in range(len(rest))] == ["0", "3"]
    assert rest.sizes().tolist() == [[20, 30]] * 2
    assert np.array_equal(rest.read(1).image, picture(3))
    assert caplog.text.count("left out of the evaluation") == 2


def test_a_missing_label_stops_or_is_left_out(tmp_path, caplog):
    write(tmp_path, [0, 1])
    (tmp_path / "labels/val/1.png").unlink()
    settings = {"dataset": "folder", "root": str(tmp_path), "train_split": "val"}
    for opened in (open_training, open_validation):
        with pytest.raises(UserError, match=r"val/1\.png: an image without label, .*labels/val/1\.png is missing"):
            opened(DataConfig(**settings))
    config = DataConfig(**settings, on_error="skip")
    rest = readable(open_validation(config), open_training(config), config, WORLD)
    assert [rest.read(index).name for index in range(len(rest))] == ["0", "2", "3"]
    assert "left out of the evaluation: 1: an image without label" in caplog.text


def test_nothing_left_is_a_mistake_even_where_files_are_skipped(tmp_path):
    dataset = write(tmp_path, [0, 9])
    with pytest.raises(UserError, match="4 of 4 images"):
        readable(dataset, dataset, DataConfig(on_error="skip"), WORLD)


def test_a_folder_without_splits_is_told(tmp_path, caplog):
    (tmp_path / "classes.txt").write_text("a\nb\n")
    for seed in range(2):
        save(tmp_path / f"images/{seed}.png", picture(seed))
        save(tmp_path / f"labels/{seed}.png", values(seed, [0, 1]))
    readable(open_dataset("folder", tmp_path, "val"), open_dataset("folder", tmp_path, "train"), DataConfig(), WORLD)
    assert "the evaluation split has the images of the training split" in caplog.text
