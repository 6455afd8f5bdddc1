import numpy as np
import pytest

from switchseg.data.advice import advise
from switchseg.data.check import Findings, inspect
from switchseg.data.datasets import open_dataset
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
    return {advice.seen: advice.setting for advice in advise(check(dataset), dataset)}


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
    assert found.class_pixels(dataset).tolist() == [(every == value).sum() for value in range(3)]
    assert found.class_images(dataset).tolist() == [40, 40, 40]
    assert advise(found, dataset) == []


def test_each_broken_sample_is_one_line(tmp_path):
    dataset = write(tmp_path, [values(seed, [0, 1, 2]) for seed in range(6)])
    (tmp_path / "images/train/0.png").write_bytes(b"broken")
    (tmp_path / "masks/train/1.png").unlink()
    save(tmp_path / "masks/train/2.png", values(0, [0, 1, 2], 5, 5))
    save(tmp_path / "masks/train/3.png", values(0, [0, 9]))
    problems = check(dataset).problems
    assert len(problems) == 4
    for part in ("0.png: not an image", "1.png: no such file", "2.png: 5x5 pixels", "3.png: label value 9"):
        assert sum(part in problem for problem in problems) == 1
    assert not any("\n" in problem for problem in problems)


def test_binary_masks_of_0_and_255(tmp_path):
    seen, setting = next(iter(hints(write(tmp_path, [values(0, [0, 255])], "classes: [back, front]")).items()))
    assert "255 is ignored" in seen
    assert setting == "label_map: {0: 0, 255: 1}"


@pytest.mark.parametrize(("stored", "zero"), [([1, 2, 3], "0 never occurs"), ([0, 1, 2, 3], "0 fills")])
def test_labels_that_are_off_by_one(tmp_path, stored, zero):
    seen, setting = next(iter(hints(write(tmp_path, [values(0, stored)])).items()))
    assert "off by one" in seen
    assert zero in seen
    assert setting.startswith("reduce_zero_label: true")


def test_following_the_advice_on_off_by_one_mends_it(tmp_path):
    write(tmp_path, [values(0, [0, 1, 2, 3])])
    dataset = write(tmp_path, [values(0, [0, 1, 2, 3])], "classes: [a, b, c]\nreduce_zero_label: true")
    assert check(dataset).problems == []
    assert hints(dataset) == {}


def test_grey_levels_that_are_spread_out(tmp_path):
    dataset = write(tmp_path, [values(0, [0, 127, 254])])
    assert any(setting.startswith("label_map: {0: 0, 127: 1, 254: 2}") for setting in hints(dataset).values())


def test_colour_masks(tmp_path):
    mask = np.zeros((20, 30, 3), np.uint8)
    mask[:, 10:] = (128, 64, 128)
    dataset = write(tmp_path, [mask])
    assert "colour mask" in check(dataset).problems[0]
    seen, setting = only(dataset)
    assert seen == "Labels are colour masks with 2 colours; class indices were expected."
    assert setting.startswith("colour_masks: true\npalette: [[128, 64, 128], [0, 0, 0]]")


def test_labels_saved_as_jpeg(tmp_path):
    rng = np.random.default_rng(0)
    dataset = write(tmp_path, [rng.integers(0, 3, (20, 30)).astype(np.uint8) * 100], suffix="jpg")
    assert hints(dataset)["1 labels are JPEG files, whose compression changes label values."]


def test_class_indices_read_by_ade20ks_rule(tmp_path):
    dataset = write(tmp_path, [values(0, [0, 1, 2])], "classes: [a, b, c]\nreduce_zero_label: true")
    assert any("start at 0" in seen for seen in hints(dataset))


def test_a_background_that_counts(tmp_path):
    dataset = write(tmp_path, [values(0, [0, 1, 2])], "classes: [Background, b, c]")
    seen, setting = only(dataset)
    assert "'background'" in seen
    assert setting.startswith("reduce_zero_label: true")


def test_classes_that_never_occur(tmp_path):
    seen, _ = only(write(tmp_path, [values(0, [0, 2])]))
    assert seen == "1 of 3 classes never occur: b."
