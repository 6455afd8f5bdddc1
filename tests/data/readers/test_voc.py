import numpy as np
import pytest
from PIL import Image

from switchseg.data.datasets import open_dataset
from switchseg.data.readers.voc import VOC
from switchseg.errors import UserError
from tests.data.trees import picture, save, values


def save_label(path, stored):
    """Write a palette file, as VOC has them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(stored)
    image.putpalette([channel for colour in VOC.palette for channel in colour])
    image.save(path)


@pytest.fixture(params=["", "VOC2012", "VOCdevkit/VOC2012"])
def root(tmp_path, request):
    """Two images in train, one of them with an augmented partner."""
    voc = tmp_path / request.param
    for seed, name in enumerate(("2007_000032", "2007_000039", "2008_000001")):
        save(voc / f"JPEGImages/{name}.jpg", picture(seed))
        save_label(voc / f"SegmentationClassAug/{name}.png", values(seed + 10, [0, 20, 255]))
        if name.startswith("2007"):
            save_label(voc / f"SegmentationClass/{name}.png", values(seed, [0, 1, 20, 255]))
    lists = voc / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("2007_000032\n2007_000039\n")
    (lists / "trainaug.txt").write_text("2007_000032\n2008_000001\n")
    (tmp_path / "pairs.txt").write_text("/JPEGImages/2008_000001.jpg /SegmentationClassAug/2008_000001.png\n")
    return tmp_path


def test_palette_files_hold_class_indices(root):
    dataset = open_dataset("voc", root, "train")
    assert [dataset.read(i).name for i in range(len(dataset))] == ["2007_000032", "2007_000039"]
    assert np.array_equal(dataset.read(1).label, values(1, [0, 1, 20, 255]))
    assert dataset.classes.names[20] == "tvmonitor"


@pytest.mark.parametrize("split", ["trainaug", "train_aug"])
def test_the_augmented_set_has_labels_of_its_own(root, split):
    dataset = open_dataset("voc", root, split)
    assert np.array_equal(dataset.read(1).label, values(12, [0, 20, 255]))


def test_lists_of_pairs(root):
    sample = open_dataset("voc", root, "train", root / "pairs.txt").read(0)
    assert np.array_equal(sample.label, values(12, [0, 20, 255]))
    assert sample.name == "2008_000001"


def test_unknown_splits_list_the_known(root):
    with pytest.raises(UserError, match=r"val\.txt: no such list; the splits are train, trainaug"):
        open_dataset("voc", root, "val")


def test_colours_are_vocs():
    assert VOC.palette[:4] == ((0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0))
    assert VOC.palette[15] == (192, 128, 128)


@pytest.mark.parametrize("line", ["../pwn", "/../../pwn", "JPEGImages/a.jpg ../../secret.png", "..\\pwn"])
def test_nothing_outside_the_root_is_listed(root, line):
    (root / "list.txt").write_text(f"2007_000032\n{line}\n")
    with pytest.raises(UserError, match=r"list\.txt: .* leads out of the data set's folder"):
        open_dataset("voc", root, "train", root / "list.txt")


def test_names_are_no_paths(root):
    (root / "list.txt").write_text("deep/../2007_000032 \r\n")
    assert open_dataset("voc", root, "train", root / "list.txt").record(0).name == "deep__..__2007_000032"


def test_absolute_paths_below_the_root_are_read(root):
    folder = next(root.rglob("JPEGImages")).parent
    pair = " ".join(f"{folder}/{path}" for path in ("JPEGImages/2007_000039.jpg", "SegmentationClass/2007_000039.png"))
    (root / "list.txt").write_text(f"{pair}\n")
    sample = open_dataset("voc", root, "train", root / "list.txt").read(0)
    assert sample.name == "2007_000039"
    assert np.array_equal(sample.label, values(1, [0, 1, 20, 255]))


def test_lists_of_another_task_are_refused(root):
    (root / "list.txt").write_text("2007_000032 -1\n2007_000039  1\n")
    with pytest.raises(UserError, match=r"list\.txt: '2007_000032 -1'; an image's name, or the paths"):
        open_dataset("voc", root, "train", root / "list.txt")


def test_dataset_yaml_beside_it_says_what_its_labels_are(root):
    for path in root.rglob("SegmentationClass/*.png"):
        with Image.open(path) as image:
            rgb = image.convert("RGB")
        rgb.save(path)
    colours = "ignore: [[224, 224, 192]]\n"
    (root / "dataset.yaml").write_text(f"colour_masks: true\n{colours}")
    label = open_dataset("voc", root, "train").read(1).label
    expected = values(1, [0, 1, 20, 255])
    assert np.array_equal(label[expected != 255], expected[expected != 255])
