"""Folders as people have them: right, or one line that says the mend."""

import numpy as np
import pytest
from PIL import Image

from switchseg.data.datasets import open_dataset
from switchseg.engine.finetune.look import look, recognise
from switchseg.errors import UserError
from tests.data.trees import picture, save, values


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
    assert recognise(tmp_path) == "voc"


def test_masks_of_0_and_255_without_class_names_become_two_classes(tmp_path):
    found, said = looked(write(tmp_path, [0, 255]))
    assert found.validation is None
    assert len(found.train.classes) == 2
    dataset = open_dataset("folder", tmp_path, "train")
    assert set(np.unique(dataset.read(0).label)) == {0, 1}
    assert found.written == tmp_path / "dataset.yaml"
    assert any("255 is 'class 1'" in line for line in said)


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


@pytest.mark.slow
def test_a_broken_label_is_named_and_counted(tmp_path):
    write(tmp_path, [0, 1])
    (tmp_path / "masks/1.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"masks/1\.png: .* \(1 of 3 images cannot be trained on; .*check-data"):
        looked(tmp_path)
    assert not (tmp_path / "dataset.yaml").exists()
