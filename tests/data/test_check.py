import numpy as np
import pytest
from PIL import Image

from switchseg.data.check import Findings, inspect
from switchseg.data.datasets import open_dataset
from switchseg.data.likely_mistakes import advise, compare_splits
from switchseg.data.readers.camvid import CAMVID
from switchseg.data.readers.cityscapes import CITYSCAPES
from switchseg.data.readers.voc import VOC
from tests.data.trees import picture, save, values


def write(root, labels, description="classes: [a, b, c]", suffix="png"):
    (root / "dataset.yaml").write_text(description)
    for number, label in enumerate(labels):
        save(root / f"images/train/{number}.png", picture(number, *label.shape[:2]))
        save(root / f"masks/train/{number}.{suffix}", label)
    return open_dataset("folder", root, "train")


def check(dataset, workers=1):
    found = Findings()
    for part in inspect(dataset, workers):
        found.add(part)
    return found


def hints(dataset):
    return {advice.seen: advice.setting for advice in advise(check(dataset), dataset.meaning)}


def only(dataset):
    ((seen, setting),) = hints(dataset).items()
    return seen, setting


def test_a_clean_data_set_has_no_findings(tmp_path):
    dataset = write(tmp_path, [values(seed, [0, 1, 2, 255]) for seed in range(40)])
    found = check(dataset, workers=2)
    assert found.images == 40
    assert found.problems == []
    assert found.sizes == {(20, 30): 40}
    every = np.stack([values(seed, [0, 1, 2, 255]) for seed in range(40)])
    assert found.class_pixels(dataset.meaning).tolist() == [(every == value).sum() for value in range(3)]
    assert found.class_images(dataset.meaning).tolist() == [40, 40, 40]
    assert advise(found, dataset.meaning) == []


def test_each_broken_sample_is_one_line(tmp_path):
    dataset = write(tmp_path, [values(seed, [0, 1, 2]) for seed in range(6)])
    (tmp_path / "images/train/0.png").write_bytes(b"broken")
    (tmp_path / "masks/train/1.png").unlink()
    save(tmp_path / "masks/train/2.png", values(0, [0, 1, 2], 5, 5))
    save(tmp_path / "masks/train/3.png", values(0, [0, 9]))
    Image.fromarray(values(0, [0, 1]).astype(np.int32) - 1).save(tmp_path / "masks/train/4.png", "TIFF")
    problems = check(dataset).problems
    assert len(problems) == 5
    expected = ("0.png: not an image", "1.png: no such file", "2.png: 5x5 pixels", "3.png: label value 9")
    for part in (*expected, "4.png: label values of -1 .. 0"):
        assert sum(part in problem for problem in problems) == 1
    assert not any("\n" in problem for problem in problems)


def test_binary_masks_of_0_and_255(tmp_path):
    seen, setting = next(iter(hints(write(tmp_path, [values(0, [0, 255])], "classes: [back, front]")).items()))
    assert "255 is ignored" in seen
    assert setting == "label_map: {0: 0, 255: 1}  # 0 is 'back', 255 is 'front'"


def test_labels_that_are_off_by_one(tmp_path):
    seen, setting = next(iter(hints(write(tmp_path, [values(0, [1, 2, 3])])).items()))
    assert "0 never occurs, so they are probably off by one" in seen
    assert setting.startswith("reduce_zero_label: true  # 0 is void, 1 is 'a', 3 is 'c'")


def framed(void, others, size=24):
    """Return labels whose areas are parted by lines of a void value."""
    label = np.repeat(np.repeat(np.array(others, np.uint8).reshape(1, -1), size, 0), size // len(others), 1)
    label[:, :: size // len(others)] = void
    return label


@pytest.mark.parametrize(
    ("label", "first", "meaning"),
    [
        (framed(3, [0, 1, 2]), "ignore: [3]", "0 is 'a', 2 is 'c', 3 is void"),
        (framed(0, [1, 2, 3]), "reduce_zero_label: true", "0 is void, 1 is 'a', 3 is 'c'"),
    ],
)
def test_both_readings_are_offered_where_the_first_or_the_last_value_may_be_void(tmp_path, label, first, meaning):
    dataset = write(tmp_path, [label])
    advice = advise(check(dataset), dataset.meaning)[0]
    assert str(advice.readings[0]) == f"{first}  # {meaning}"
    assert {key for reading in advice.readings for key in reading.settings} == {
        *("ignore", "reduce_zero_label", "classes")
    }


def test_camvid_in_plain_folders_keeps_its_classes(tmp_path):
    """Its void is 11: the advice to reduce zero would shift every class by one."""
    dataset = write(tmp_path, [values(0, list(range(12)))], f"classes: [{', '.join(CAMVID.names)}]")
    advice = advise(check(dataset), dataset.meaning)[0]
    assert advice.readings[0].settings == {"ignore": [11]}
    assert "CamVid's, whose last value is void" in advice.seen


def test_a_value_beyond_the_classes_does_not_shift_them_where_another_is_missing(tmp_path):
    dataset = write(tmp_path, [values(0, [0, 1, 3, 7])], "classes: [a, b, c, d]")
    assert advise(check(dataset), dataset.meaning)[0].readings[0].settings == {"ignore": [7]}


def test_following_the_advice_on_off_by_one_mends_it(tmp_path):
    write(tmp_path, [values(0, [0, 1, 2, 3])])
    dataset = write(tmp_path, [values(0, [0, 1, 2, 3])], "classes: [a, b, c]\nreduce_zero_label: true")
    assert check(dataset).problems == []
    assert hints(dataset) == {}


def test_grey_levels_that_are_spread_out(tmp_path):
    dataset = write(tmp_path, [values(0, [0, 127, 254])])
    assert any(setting.startswith("label_map: {0: 0, 127: 1, 254: 2}") for setting in hints(dataset).values())


def coloured(*colours):
    """Return a mask with bands of colours, the first the widest."""
    mask = np.zeros((20, 30, 3), np.uint8)
    for place, colour in enumerate(colours):
        mask[:, 5 * place :] = colour
    return mask[:, ::-1]


def test_colour_masks(tmp_path):
    dataset = write(tmp_path, [coloured((0, 0, 0), (9, 9, 9), (128, 64, 128))])
    assert "colour mask" in check(dataset).problems[0]
    advice = advise(check(dataset), dataset.meaning)[0]
    assert advice.seen.startswith("Labels are colour masks with 3 colours; class indices were expected.")
    without, with_black = (reading.settings["palette"] for reading in advice.readings)
    assert without == [[128, 64, 128], [9, 9, 9]]
    assert sorted(with_black) == [[0, 0, 0], [9, 9, 9], [128, 64, 128]]


@pytest.mark.parametrize(
    ("names", "palette"),
    [(["Car", "Road"], [[0, 0, 142], [128, 64, 128]]), (list(CITYSCAPES.names), [*map(list, CITYSCAPES.palette)])],
)
def test_colours_of_a_known_data_set_go_to_the_classes_of_their_names(tmp_path, names, palette):
    dataset = write(tmp_path, [coloured((128, 64, 128), (0, 0, 142))], f"classes: {names}")
    advice = advise(check(dataset), dataset.meaning)[0]
    assert "those of Cityscapes" in advice.seen
    assert advice.readings[0].settings == {"colour_masks": True, "palette": palette, "classes": names}


def test_a_void_colour_of_a_known_data_set_is_ignored(tmp_path):
    dataset = write(tmp_path, [coloured(*VOC.palette[1:4], (224, 224, 192))], f"classes: {list(VOC.names)}")
    assert advise(check(dataset), dataset.meaning)[0].readings[0].settings["ignore"] == [[224, 224, 192]]


MASKS = "classes: [road, car]\npalette: [[128, 64, 128], [0, 0, 142]]\ncolour_masks: true"


@pytest.mark.parametrize(
    ("colours", "seen", "settings"),
    [
        (((128, 64, 128), (142, 0, 0)), "red and blue", {"palette": [[128, 64, 128], [142, 0, 0]]}),
        (((129, 65, 129), (1, 1, 143)), "close to", {"palette": [[129, 65, 129], [1, 1, 143]]}),
        (((128, 64, 128), (224, 224, 224)), "[224, 224, 224]", {"ignore": [[224, 224, 224]]}),
    ],
)
def test_colours_that_are_no_class_s(tmp_path, colours, seen, settings):
    dataset = write(tmp_path, [coloured(*colours)], MASKS)
    advice = advise(check(dataset), dataset.meaning)[0]
    assert seen in advice.seen
    assert advice.readings[0].settings == settings


def test_mixed_colours_at_edges(tmp_path):
    mixed = [coloured(*((128 - k, 64 - k, 128 + k) for k in range(20, 60, 8))) for _ in range(2)]
    dataset = write(tmp_path, mixed, MASKS)
    advice = advise(check(dataset), dataset.meaning)[0]
    assert "mixtures, as smoothing or resizing makes them" in advice.seen
    assert not advice.readings


def test_labels_saved_as_jpeg(tmp_path):
    rng = np.random.default_rng(0)
    dataset = write(tmp_path, [rng.integers(0, 3, (20, 30)).astype(np.uint8) * 100], suffix="jpg")
    assert hints(dataset)["1 labels are JPEG files, whose compression changes label values."]


def test_class_indices_read_by_ade20ks_rule(tmp_path):
    dataset = write(tmp_path, [values(0, [0, 1, 2])], "classes: [a, b, c]\nreduce_zero_label: true")
    advice = next(a for a in advise(check(dataset), dataset.meaning) if "start at 0" in a.seen)
    assert advice.readings[0].settings == {"reduce_zero_label": False}


def test_a_background_that_counts(tmp_path):
    dataset = write(tmp_path, [values(0, [0, 1, 2])], "classes: [Background, b, c]")
    seen, setting = only(dataset)
    assert "'background'" in seen
    assert setting.startswith("reduce_zero_label: true")


@pytest.mark.parametrize(
    ("names", "choices", "classes"),
    [
        ("[building]", [0, 255], ["background", "building"]),
        ("[building]", [0, 1], ["background", "building"]),
        ("[back, front]", [0, 255], None),
        ("[back, front]", [0], None),
        ("[building]", [0], None),
    ],
)
def test_fewer_than_two_classes_would_stop_a_training(tmp_path, names, choices, classes):
    dataset = write(tmp_path, [values(0, choices)], f"classes: {names}")
    (advice,) = (a for a in advise(check(dataset), dataset.meaning) if a.stops)
    if classes:
        assert "Two classes are in the labels" in advice.seen
        assert advice.readings[0].settings["classes"] == classes


def turned(root, number, orientation, size=(20, 30), upright=False):
    """Save a pair whose image has an EXIF orientation, its label drawn on the stored pixels unless `upright`."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(root / f"images/train/{number}.jpg", picture(number, *size), exif=exif)
    label = values(number, [0, 1, 2], *size)
    save(root / f"masks/train/{number}.png", np.rot90(label, -1) if upright and orientation == 6 else label)


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
