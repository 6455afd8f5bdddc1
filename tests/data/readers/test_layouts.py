import numpy as np
import pytest

from switchseg.data.dataset import MissingSplitError
from switchseg.data.datasets import open_dataset
from switchseg.data.readers.layouts import find_layout
from switchseg.errors import UserError
from tests.data.trees import picture, save, values


def write(root, image, label, stems=("a", "b10", "b1")):
    """Save an image and its label for each stem; `*` in the paths stands for it."""
    root.mkdir(exist_ok=True)
    (root / "classes.txt").write_text("one\ntwo\n")
    for seed, stem in enumerate(stems):
        save(root / image.replace("*", stem), picture(seed))
        save(root / label.replace("*", stem), values(seed, [0, 1, 255]))
    return root


@pytest.mark.parametrize(
    ("image", "label"),
    [
        ("images/train/*.jpg", "masks/train/*_mask.png"),
        ("images/*.jpg", "labels/*_mask.png"),
        ("images/train/*_image.jpg", "annotations/train/*_gt_label.png"),
        ("images/train/*_sat.jpg", "masks/train/*.png"),
        ("train/images/*.jpg", "train/labels/*.png"),
        ("train/images/*.jpg", "train/masks/*-seg.png"),
        ("train/*.jpg", "train/*_mask.png"),
        ("training/*.png", "training/*_L.png"),
        ("train/*.jpg", "train/*.png"),
        ("train/*.JPG", "train/*.png"),
        ("train/*.jpeg", "train/*.PNG"),
        ("images/train/*.jpg", "labels/train/*.pgm"),
        ("images/train/*.jfif", "labels/train/*.tif"),
        ("*.jpg", "*_mask.png"),
        ("*.jpg", "*.mask.png"),
        ("*.jpg", "*.jpg.png"),
        ("images/*.v1.jpg", "masks/*.v1.mask.png"),
        ("images/*.jpg", "masks/*.jpg.png"),
        ("*_image.png", "*_mask.png"),
        ("train/*_image.png", "train/*_label_image.png"),
        ("Train/*_rgb.png", "Train/*.png"),
        ("imgs/*.jpg", "masks/*_mask.png"),
        ("Image/Train/*.jpg", "MASK/train/*.png"),
        ("Train/IMAGES/*.jpg", "Train/Labels/*.png"),
        ("JPEGImages/*.jpg", "SegmentationClass/*.png"),
        ("train/*.png", "train_labels/*_L.png"),
        ("train_images/*.jpg", "train_masks/*.png"),
        ("Train/*.jpg", "trainannot/*.png"),
    ],
)
def test_pairs_are_found_in_the_usual_arrangements(tmp_path, image, label):
    dataset = open_dataset("folder", write(tmp_path / "d", image, label), "train")
    assert len(dataset) == 3
    for index in range(3):
        sample = dataset.read(index)
        seed = ["a", "b10", "b1"].index(sample.name.removesuffix(".v1"))
        assert np.array_equal(sample.label, values(seed, [0, 1, 255]))
        assert np.abs(sample.image.astype(int) - picture(seed)).mean() < 10


@pytest.mark.parametrize("name", ["val", "validation", "valid"])
def test_splits_go_by_several_names(tmp_path, name):
    write(tmp_path, f"{name}/images/*.jpg", f"{name}/masks/*.png")
    assert len(open_dataset("folder", tmp_path, "val")) == 3
    with pytest.raises(MissingSplitError, match=f"there is {name}"):
        open_dataset("folder", tmp_path, "train")


def test_folders_that_are_called_like_no_split_hold_one_data_set(tmp_path):
    for town in ("bern", "basel/north"):
        write(tmp_path, f"images/{town}/*.jpg", f"labels/{town}/*.png")
    assert len(open_dataset("folder", tmp_path, "train")) == 6
    with pytest.raises(MissingSplitError, match="images/zurich: no such folder; there is basel, bern"):
        open_dataset("folder", tmp_path, "zurich")
    write(tmp_path, "images/val/*.jpg", "labels/val/*.png")
    with pytest.raises(MissingSplitError, match="images/train: no such folder; there is basel, bern, val"):
        open_dataset("folder", tmp_path, "train")


def test_labels_of_two_kinds_are_refused(tmp_path):
    write(tmp_path, "images/*.jpg", "labels/*_mask.png")
    write(tmp_path, "images/*.jpg", "labels/*_instances.png")
    with pytest.raises(UserError, match=r"labels of several kinds, \*_instances, \*_mask"):
        find_layout(tmp_path, "train")


def test_which_folder_holds_the_labels_must_be_clear(tmp_path):
    write(tmp_path, "images/*.jpg", "masks/*.png")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/coco.json").touch()
    assert find_layout(tmp_path, "train").labels == tmp_path / "masks"
    write(tmp_path, "images/*.jpg", "annotations/*.png")
    with pytest.raises(UserError, match="labels lie in annotations and masks; keep one of these folders there"):
        find_layout(tmp_path, "train")


def test_a_test_split_needs_no_labels(tmp_path):
    write(tmp_path, "test/images/*.jpg", "test/elsewhere/*.png")
    assert open_dataset("folder", tmp_path, "test").read(0).label is None
    write(tmp_path, "val/images/*.jpg", "val/elsewhere/*.png")
    with pytest.raises(UserError, match="val: no folder annotations, masks, labels; one of them holds the labels"):
        find_layout(tmp_path, "val")


def test_labels_of_other_names_are_shown(tmp_path):
    write(tmp_path, "images/image_*.jpg", "masks/mask_*.png")
    with pytest.raises(
        UserError, match=r"3 of 3 .*; .*/masks holds mask_a\.png, mask_b1\.png, mask_b10\.png, whose names"
    ):
        open_dataset("folder", tmp_path, "train")


def test_a_folder_above_the_data_set_says_what_is_in_it(tmp_path):
    write(tmp_path / "data", "train/images/*.jpg", "train/masks/*.png")
    with pytest.raises(UserError, match=r"no folder `images`; .*; there is data$"):
        find_layout(tmp_path, "train")


def test_labels_without_an_image_are_told(tmp_path, caplog):
    write(tmp_path, "images/*_image.jpg", "masks/*_mask.png")
    (tmp_path / "images/a_image.jpg").unlink()
    dataset = open_dataset("folder", tmp_path, "train")
    assert len(dataset) == 2
    assert "1 of 3 labels have no image, left out: a_mask.png" in caplog.text
    assert dataset.pairing == "images *_image.*, labels *_mask.*"


def test_an_image_without_label_is_named_by_the_endings(tmp_path):
    write(tmp_path, "*_image.jpg", "*_mask.png")
    (tmp_path / "a_mask.png").unlink()
    with pytest.raises(UserError, match=r"a_image\.jpg: an image without label, .*/a_mask\.png is missing \(1 of 3"):
        open_dataset("folder", tmp_path, "train")


def test_labels_in_a_format_that_is_not_read_are_named(tmp_path):
    write(tmp_path, "images/*.jpg", "labels/*.png")
    for path in (tmp_path / "labels").iterdir():
        path.rename(path.with_suffix(".npy"))
    with pytest.raises(UserError, match=r"an image without label, .*labels holds 3 \.npy, which are not read"):
        open_dataset("folder", tmp_path, "train")


def test_files_that_are_no_images_are_counted(tmp_path, caplog):
    write(tmp_path, "images/*.jpg", "labels/*.png")
    (tmp_path / "images/c.heic").touch()
    assert len(open_dataset("folder", tmp_path, "train")) == 3
    assert "left out what is no image by its suffix: 1 .heic" in caplog.text


@pytest.mark.parametrize("label", ["*_mask.png", "*.png"])
def test_what_describes_the_data_is_not_counted_among_them(tmp_path, caplog, label):
    write(tmp_path, "*.jpg", label)
    (tmp_path / "dataset.yaml").write_text("classes: [one, two]\n")
    open_dataset("folder", tmp_path, "train")
    assert not caplog.text
    (tmp_path / "notes.txt").touch()
    open_dataset("folder", tmp_path, "train")
    assert "left out what is no image by its suffix: 1 .txt" in caplog.text


def test_photographs_of_several_suffixes_beside_their_labels(tmp_path):
    for suffix in ("jpg", "JPG", "jpeg"):
        write(tmp_path, f"train/*.{suffix}", "train/*.png", [f"{suffix}_1"])
    dataset = open_dataset("folder", tmp_path, "train")
    assert [dataset.record(index).name for index in range(3)] == ["JPG_1", "jpeg_1", "jpg_1"]


def test_a_line_break_in_a_name_is_shown_as_one_line(tmp_path):
    write(tmp_path, "images/*.jpg", "masks/*.png", stems=("a\nb",))
    with pytest.raises(UserError, match=r"^'.*/images/a\\nb\.jpg': a line break in a file's name; rename it"):
        open_dataset("folder", tmp_path, "train")
