"""Folders as people have them: right, or one line that says the mend."""

import numpy as np
import pytest
from PIL import Image

from switchseg.data.datasets import open_dataset
from switchseg.engine.finetune.look import look, recognise
from switchseg.errors import UserError
from tests.data import user_folders
from tests.data.trees import picture, save, values

NUMBERS, LEVELS = ("class 0", "class 1", "class 2"), ("value 0", "value 100", "value 200")
READ = {
    "annotations_beside_images": NUMBERS,
    "annotations_beside_splits": NUMBERS,
    "binary_jpeg_masks": NUMBERS[:2],
    "binary_masks": NUMBERS[:2],
    "binary_rgba_masks": NUMBERS[:2],
    "colour_masks": ("colour 20 130 240", "colour 200 30 40"),
    "deep_folders": NUMBERS,
    "described_colour_masks": ("ground", "red", "blue"),
    "far_indices": ("a", "b", "c", *(f"class {index}" for index in range(3, 12))),
    "four_bit_indices": NUMBERS,
    "indices_from_1": ("a", "b", "c"),
    "listed_colour_masks": ("ground", "red", "blue"),
    "many_classes": tuple(f"class {index}" for index in range(200)),
    "mixed_sizes": NUMBERS,
    "name_endings": NUMBERS,
    "endings_beside_each_other": NUMBERS,
    "odd_names": NUMBERS,
    "one_bit_masks": NUMBERS[:2],
    "one_name_masks": ("background", "defect"),
    "palette_indices": NUMBERS,
    "sparse_indices": LEVELS,
    "split_inside": NUMBERS,
    "split_outside": NUMBERS,
    "two_bit_indices": NUMBERS,
    "two_images": NUMBERS,
    "turned_photos": NUMBERS,
    "uneven_splits": NUMBERS,
    "unlabelled_parts": NUMBERS,
    "unnamed_indices": NUMBERS,
    "unseen_class": ("a", "b", "c", "never"),
    "wide_indices": NUMBERS,
    "wide_values": ("value 300", "value 301", "value 302"),
}
"""What `finetune` calls the classes of a folder of `user_folders`."""
REFUSED = {
    "annotations_in_json": r"labels holds 4 \.json, which are not read",
    "broken_label": r"labels/1\.png: not an image file .* \(1 of 4 images cannot be trained on",
    "empty_validation": r"images/val: no images",
    "float_labels": r"labels/0\.tif: float label values; save them as whole numbers",
    "larger_labels": r"labels/0\.png: 128x96 pixels, but its image .* has 64x48",
    "no_labels": r"no folder annotations, masks, labels; one of them holds the labels",
    "nothing": r"no folder `images`; the layout is",
    "one_class": r"Only one class is in the labels, 'class 0'.* A training needs two classes or more",
    "one_image": r"one image; at least two are needed",
    "smeared_masks": r"4 labels are JPEG files.* Export the labels as PNG",
    "smoothed_colours": r"different colours, too many for a mask\. Export the labels as PNG files without smoothing",
    "some_unlabelled": r"images/2\.jpg: an image without label cannot be trained on; label it or take it out",
    "validation_alone": r"a split val and no `train`; rename the folder",
}
QUICK = ("annotations_beside_images", "deep_folders", "sparse_indices", "smeared_masks", "one_image")
"""Whose reading is finetune's own; the others are read by what has quick tests elsewhere."""


def marked(names):
    return [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in names]


def write(root, choices, images="images", labels="masks", count=3):
    for number in range(count):
        save(root / images / f"{number}.jpg", picture(number, 24, 32))
        save(root / labels / f"{number}.png", values(number, choices, 24, 32))
    return root


def looked(root, **options):
    said = []
    return look(root, None, 1, said.append, **options), said


def test_layouts_are_known_by_what_lies_in_them(tmp_path, tiny_camvid):
    assert recognise(tiny_camvid) == "camvid"
    assert recognise(tmp_path) == "folder"
    (tmp_path / "JPEGImages").mkdir()
    assert recognise(tmp_path) == "folder"
    (tmp_path / "SegmentationClass").mkdir()
    # As labelling programs write it, without lists of splits.
    assert recognise(tmp_path) == "folder"
    (tmp_path / "ImageSets/Segmentation").mkdir(parents=True)
    (tmp_path / "ImageSets/Segmentation/train.txt").touch()
    assert recognise(tmp_path) == "voc"


def test_masks_of_0_and_255_without_class_names_become_two_classes(tmp_path):
    found, said = looked(write(tmp_path, [0, 255]))
    assert found.validation is None
    assert len(found.train.classes) == 2
    dataset = open_dataset("folder", tmp_path, "train")
    assert set(np.unique(dataset.read(0).label)) == {0, 1}
    assert found.written == tmp_path / "dataset.yaml"
    assert any("255 is 'class 1'" in line for line in said)


def test_a_command_that_is_proposed_can_be_pasted(tmp_path):
    root = write(tmp_path / "my data", [0, 1])
    (root / "masks/0.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=rf"`switchseg check-data --dataset folder --root '{root}'` shows them all"):
        looked(root)


def test_how_images_and_labels_were_matched_is_told(tmp_path):
    user_folders.FOLDERS["endings_beside_each_other"](tmp_path)
    assert "found: matched by name: images *_rgb.*, labels *_gt.*" in looked(tmp_path)[1]


@pytest.mark.parametrize("name", marked(READ))
def test_folders_as_people_have_them_are_read(tmp_path, name):
    user_folders.FOLDERS[name](tmp_path)
    found, said = looked(tmp_path)
    assert found.train.classes.names == READ[name]
    # As the training will open it.
    samples = [open_dataset("folder", tmp_path, "train").read(index) for index in range(len(found.train))]
    assert all(sample.label.shape == sample.image.shape[:2] for sample in samples)
    there = set(np.concatenate([np.unique(sample.label) for sample in samples]).tolist()) - {255}
    assert there == set(range(len(READ[name]) - (name in ("unseen_class", "uneven_splits"))))
    assert (found.written is None) == (name in ("described_colour_masks", "unseen_class"))
    assert all("\n" not in line for line in said)


@pytest.mark.parametrize("name", marked(REFUSED))
def test_folders_that_cannot_be_trained_on_are_one_line_and_stay_as_they_were(tmp_path, name):
    root = tmp_path / "data"
    user_folders.FOLDERS[name](root)
    before = sorted(root.rglob("*"))
    with pytest.raises(UserError, match=REFUSED[name]) as caught:
        looked(root)
    assert "\n" not in str(caught.value)
    assert sorted(root.rglob("*")) == before


def test_every_folder_is_looked_at():
    assert {*READ, *REFUSED} == user_folders.FOLDERS.keys()


@pytest.mark.slow
def test_what_may_be_a_mistake_is_told(tmp_path):
    user_folders.FOLDERS["unseen_class"](tmp_path)
    assert any("1 of 4 classes never occur: never" in line for line in looked(tmp_path)[1])


@pytest.mark.slow
def test_camvids_layout_needs_nothing(tiny_camvid):
    found, said = looked(tiny_camvid)
    assert (found.dataset, len(found.train), len(found.validation), found.written) == ("camvid", 8, 3, None)
    assert "8 train, 3 val, 2 test images" in "\n".join(said)


@pytest.mark.slow
def test_colour_masks_become_classes_by_their_colours(tmp_path):
    write(tmp_path, [0], "train/images", "train/masks")
    for path in (tmp_path / "train/masks").iterdir():
        mask = np.zeros((24, 32, 3), np.uint8)
        mask[:, 16:] = (200, 30, 40)
        mask[12:, 16:] = (20, 130, 240)
        Image.fromarray(mask).save(path)
    found, _ = looked(tmp_path)
    assert set(found.train.classes.names) == {"colour 200 30 40", "colour 20 130 240"}
    label = open_dataset("folder", tmp_path, "train").read(0).label
    assert set(np.unique(label).tolist()) == {0, 1, 255}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("choices", "files", "message"),
    [
        ([0], {}, "Only one class is in the labels"),
        ([0, 1, 7], {"dataset.yaml": "classes: [a, b]\n"}, "dataset.yaml: Label values that stand for no class: 7"),
    ],
)
def test_what_cannot_be_trained_on_is_one_line_and_nothing_is_written(tmp_path, choices, files, message):
    write(tmp_path, choices)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        looked(tmp_path)
    assert "\n" not in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {"images", "masks", *files}


def test_a_description_without_classes_is_asked_for_their_names(tmp_path):
    write(tmp_path, [0, 1])
    (tmp_path / "dataset.yaml").write_text("exif_orientation: ignore\n")
    with pytest.raises(UserError, match=r"dataset\.yaml: give the classes their names, in classes\.txt or here under"):
        looked(tmp_path)
    (tmp_path / "classes.txt").write_text("a\nb\n")
    assert looked(tmp_path)[0].train.classes.names == ("a", "b")


@pytest.mark.slow
def test_a_broken_label_is_named_and_counted(tmp_path):
    write(tmp_path, [0, 1])
    (tmp_path / "masks/1.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"masks/1\.png: .* \(1 of 3 images cannot be trained on; .*check-data"):
        looked(tmp_path)
    assert not (tmp_path / "dataset.yaml").exists()
