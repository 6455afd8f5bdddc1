"""Advice on everything else that is likely a mistake, and on splits side by side."""

import numpy as np
import pytest
from PIL import Image

from switchseg.data.datasets import open_dataset
from switchseg.data.likely_mistakes import advise, compare_splits
from tests.data.surveyed import check, hints, only, write
from tests.data.trees import picture, save, values


def turned(root, number, orientation, size=(20, 30), upright=False):
    """Save a pair whose image has an EXIF orientation, its label drawn on the stored pixels unless `upright`."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(root / f"images/train/{number}.jpg", picture(number, *size), exif=exif)
    label = values(number, [0, 1, 2], *size)
    save(root / f"masks/train/{number}.png", np.rot90(label, -1) if upright and orientation == 6 else label)


def test_labels_saved_as_jpeg(tmp_path):
    rng = np.random.default_rng(0)
    dataset = write(tmp_path, [rng.integers(0, 3, (20, 30)).astype(np.uint8) * 100], suffix="jpg")
    assert hints(dataset)["1 labels are JPEG files, whose compression changes label values."]


def test_values_of_which_nobody_knows_the_class_are_not_taken_for_a_lack_of_classes(tmp_path):
    dataset = write(tmp_path, [values(0, [0, 1]).astype(np.uint16) * 1000], "classes: [a, b]")
    assert not any("Only one class" in seen for seen in hints(dataset))


@pytest.mark.parametrize(
    ("names", "choices", "classes"),
    [
        ("[building]", [0, 255], ["background", "building"]),
        ("[building]", [0, 1], ["background", "building"]),
        ("[back, front]", [0, 255], None),
        ("[back, front]", [0], None),
        ("[building]", [0], None),
        ("[back, front]", [255], None),
    ],
)
def test_fewer_than_two_classes_would_stop_a_training(tmp_path, names, choices, classes):
    dataset = write(tmp_path, [values(0, choices)], f"classes: {names}")
    (advice,) = (a for a in advise(check(dataset), dataset.meaning) if a.stops)
    if classes:
        assert "Two classes are in the labels" in advice.seen
        assert advice.readings[0].settings["classes"] == classes


@pytest.mark.parametrize(
    ("pairs", "first"),
    [
        ([(3,)], "apply"),
        ([(6, (20, 20))], "apply"),
        ([(3,), (6,)], "ignore"),
        ([(2,), (6,), (6, (20, 30), True)], "apply"),
        ([(3,), (6, (20, 30), True)], None),
        ([(6,), (1,)], None),
    ],
)
def test_labels_whose_size_does_not_tell_how_they_are_turned(tmp_path, pairs, first):
    (tmp_path / "dataset.yaml").write_text("classes: [a, b, c]")
    for number, pair in enumerate(pairs):
        turned(tmp_path, number, *pair)
    dataset = open_dataset("folder", tmp_path, "train")
    advices = [a for a in advise(check(dataset), dataset.meaning) if "EXIF" in a.seen]
    assert [a.readings[0].settings["exif_orientation"] for a in advices] == ([first] if first else [])
    if first:
        (tmp_path / "dataset.yaml").write_text(f"classes: [a, b, c]\nexif_orientation: {first}")
        dataset = open_dataset("folder", tmp_path, "train")
        assert not any("EXIF" in a.seen for a in advise(check(dataset), dataset.meaning))


def test_an_image_that_is_listed_twice_is_told_from_two_of_one_name(tmp_path):
    write(tmp_path, [values(0, [0, 1, 2])])
    (tmp_path / "list.txt").write_text("images/train/0.png masks/train/0.png\n" * 2)
    dataset = open_dataset("folder", tmp_path, "train", tmp_path / "list.txt")
    seen, _ = only(dataset)
    assert seen.startswith("1 images are listed several times")


def test_classes_that_never_occur(tmp_path):
    seen, _ = only(write(tmp_path, [values(0, [0, 2])]))
    assert seen == "1 of 3 classes never occur: b."


def test_a_class_that_only_the_evaluation_split_has(tmp_path):
    parts = {}
    for split, choices in (("train", [0, 1]), ("val", [0, 2])):
        save(tmp_path / f"images/{split}/0.png", picture(0))
        save(tmp_path / f"masks/{split}/0.png", values(0, choices))
        (tmp_path / "dataset.yaml").write_text("classes: [a, b, c]")
        parts[split] = check(dataset := open_dataset("folder", tmp_path, split))
    (advice,) = compare_splits(parts, dataset.meaning)
    assert advice.seen == "1 classes occur in val but never in train: c."


@pytest.mark.parametrize(
    ("settings", "advised"),
    [
        ("", True),
        ("ignore: [9]", True),
        ("label_map: {0: 0, 1: 2, 2: 1}", False),
        ("label_map: {0: 0, 1: 1, 2: 2, 3: 1}", False),
        ("colour_masks: true\npalette: [[0, 0, 0], [0, 0, 1], [0, 0, 2]]", False),
    ],
)
def test_zero_is_only_reduced_where_values_are_class_indices(tmp_path, settings, advised):
    label = values(0, [0, 1, 2])
    if "colour" in settings:
        label = np.stack((0 * label, 0 * label, label), axis=-1)
    dataset = write(tmp_path, [label], f"classes: [background, a, b]\n{settings}")
    assert any("reduce_zero_label" in setting for setting in hints(dataset).values()) == advised
