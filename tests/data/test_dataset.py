import numpy as np
import pytest
from PIL import Image

from switchseg.data.datasets import DATASETS, open_dataset
from switchseg.errors import UserError
from tests.data.trees import ade_folders, picture, plain_folders, save, values


@pytest.fixture
def root(tmp_path):
    return plain_folders(tmp_path)


def test_samples_are_rgb_labels_and_names(root):
    dataset = open_dataset("folder", root, "train")
    sample = dataset.read(1)
    assert np.array_equal(sample.image, picture(1))
    assert np.array_equal(sample.label, values(1, [0, 1, 2, 255]))
    assert sample.label.dtype == np.uint8
    assert sample.name == "1"
    assert dataset.sizes().tolist() == [[20, 30]] * 3


def test_missing_images_and_labels_are_named(root):
    dataset = open_dataset("folder", root, "train")
    (root / "masks/train/1.png").unlink()
    with pytest.raises(UserError, match=r"masks/train/1\.png: no such file"):
        dataset.read(1)
    with pytest.raises(UserError, match=r"images/train/1\.png: an image without label.*\(1 of 3 images have none: 1\)"):
        open_dataset("folder", root, "train")
    assert open_dataset("folder", root, "train", incomplete=True).read(1).label is None
    for number in (0, 2):
        (root / f"masks/train/{number}.png").unlink()
    with pytest.raises(UserError, match="3 of 3 images have none"):
        open_dataset("folder", root, "train", incomplete=True)


def test_different_sizes_are_named(root):
    save(root / "masks/train/2.png", values(0, [0], 10, 30))
    with pytest.raises(UserError, match=r"masks/train/2\.png: 30x10 pixels, but its image .*2\.png has 30x20"):
        open_dataset("folder", root, "train").read(2)


def test_values_outside_the_classes_are_named(root):
    save(root / "masks/train/0.png", values(0, [0, 3]))
    with pytest.raises(
        UserError, match=r"masks/train/0\.png: label value 3 .* the classes are 0 \.\. 2, ignored is 255"
    ):
        open_dataset("folder", root, "train").read(0)


def test_a_list_that_lies_about_sizes_is_named(tmp_path):
    ade_folders(tmp_path, [(20, 30), (20, 30)])
    save(tmp_path / "images/training/i1.png", picture(0, 30, 20))
    save(tmp_path / "annotations/training/i1.png", values(0, [0, 1], 30, 20))
    with pytest.raises(UserError, match=r"i1\.png: 20x30 pixels, but the list says 30x20"):
        open_dataset("odgt", tmp_path, "train").read(1)


def test_labels_of_turned_photos_fit_either_way(root):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(root / "images/train/0.png", picture(0), exif=exif)  # stored 20 x 30, seen 30 x 20
    stored = open_dataset("folder", root, "train").read(0)
    assert np.array_equal(stored.image, picture(0))
    save(root / "masks/train/0.png", values(0, [0, 1], 30, 20))
    dataset = open_dataset("folder", root, "train")
    assert np.array_equal(dataset.read(0).image, picture(0).transpose(1, 0, 2)[:, ::-1])
    assert dataset.sizes()[0].tolist() == [30, 20]


def test_unknown_names_list_the_known():
    with pytest.raises(UserError, match=rf"there is no data set 'imagenet'.*\(there are {', '.join(DATASETS)}\)"):
        open_dataset("imagenet", ".", "train")


def test_an_empty_split_does_not_stand_for_all(root):
    with pytest.raises(UserError, match="^split: empty"):
        open_dataset("folder", root, "")


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "huggingface"])
def test_every_reader_names_a_missing_folder(name, tmp_path):
    with pytest.raises(UserError, match="no such folder; --root"):
        open_dataset(name, tmp_path / "missing", "train")
    with pytest.raises(UserError, match="no such folder; --root"):
        open_dataset(name, "~no-user-of-this-name/data", "train")
    with pytest.raises(UserError, match="not set"):
        open_dataset(name, "", "train")


@pytest.mark.parametrize("name", [name for name in DATASETS if name != "huggingface"])
def test_every_reader_says_in_one_line_what_an_empty_folder_lacks(name, tmp_path):
    with pytest.raises(UserError) as caught:
        open_dataset(name, tmp_path, "train")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("setting", "turns"), [("auto", 2), ("apply", 2), ("ignore", 0)])
def test_the_description_may_say_what_exif_orientation_is_worth(tmp_path, setting, turns):
    (tmp_path / "dataset.yaml").write_text(f"classes: [a, b]\nexif_orientation: {setting}")
    exif = Image.Exif()
    exif[0x0112] = 3
    save(tmp_path / "images/train/a.png", picture(0), exif=exif)
    save(tmp_path / "labels/train/a.png", values(0, [0, 1]))
    sample = open_dataset("folder", tmp_path, "train").read(0)
    assert np.array_equal(sample.image, np.rot90(picture(0), turns))
    assert np.array_equal(sample.label, values(0, [0, 1]))


@pytest.mark.parametrize(("setting", "size"), [("auto", (30, 20)), ("apply", (30, 20)), ("ignore", (20, 30))])
def test_the_size_of_an_image_without_label_is_that_of_what_is_read(tmp_path, setting, size):
    (tmp_path / "dataset.yaml").write_text(f"classes: [a, b]\nexif_orientation: {setting}")
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "images/train/a.jpg", picture(0), exif=exif)
    save(tmp_path / "images/train/b.jpg", picture(1))
    save(tmp_path / "labels/train/b.png", values(0, [0, 1]))
    dataset = open_dataset("folder", tmp_path, "train", incomplete=True)
    assert dataset.read(0).image.shape[:2] == dataset.size(0) == size


def test_upright_images_alone_fit_where_the_orientation_is_applied(tmp_path):
    (tmp_path / "dataset.yaml").write_text("classes: [a, b]\nexif_orientation: apply")
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "images/train/a.jpg", picture(0), exif=exif)
    save(tmp_path / "labels/train/a.png", values(0, [0, 1]))
    with pytest.raises(UserError, match="image and label must have the same size"):
        open_dataset("folder", tmp_path, "train").read(0)


def test_a_split_is_not_joined_with_itself(root):
    with pytest.raises(UserError, match=r"train\+training cannot be joined; different splits"):
        open_dataset("folder", root, "train+training")
