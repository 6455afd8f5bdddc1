import base64
import io
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from switchseg.classes import Classes
from switchseg.errors import UserError
from switchseg.labels import IGNORED
from switchseg.reports import images
from switchseg.reports.runs import read_run


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))


def test_right_is_the_fraction_of_labelled_pixels(run_folders):
    picture = read_run(run_folders[0]).pictures[0]
    answer = images.read_answer(picture, images.read_source(picture))
    truth, labels = np.asarray(Image.open(picture.truth)), np.asarray(Image.open(picture.labels))
    right = sum(t == p for t, p in zip(truth.ravel(), labels.ravel(), strict=True) if t != IGNORED)
    assert answer.right == pytest.approx(right / (truth != IGNORED).sum())
    assert 0.5 < answer.right < 1


def test_a_large_picture_is_shown_small_with_its_own_labels(tmp_path, run_folders):
    picture = read_run(run_folders[0]).pictures[0]
    wide = {}
    for part in ("image", "truth", "labels", "confidence"):
        path = getattr(picture, part)
        wide[part] = tmp_path / path.name
        Image.open(path).resize((1600, 1200), Image.Resampling.NEAREST).save(wide[part])
    source = images.read_source(replace(picture, **wide))
    assert source.size == (300, 400)
    assert source.image.shape == (300, 400, 3)
    answer = images.read_answer(replace(picture, **wide), source)
    assert set(np.unique(answer.labels)) <= set(np.unique(np.asarray(Image.open(picture.labels))))


def test_labels_are_shown_in_the_colours_of_their_classes():
    classes = Classes(("a", "b"), ((1, 2, 3), (250, 0, 9)))
    shown = np.asarray(decoded(images.colour_map(np.array([[0, 1, IGNORED]], np.uint8), classes)).convert("RGB"))
    assert shown.tolist() == [[[1, 2, 3], [250, 0, 9], list(images.IGNORED_COLOUR)]]


def test_only_wrong_labelled_pixels_are_marked():
    image = np.full((48, 48, 3), 200, np.uint8)
    truth, labels = np.zeros((48, 48), np.uint8), np.zeros((48, 48), np.uint8)
    labels[:16] = 1
    labels[32:] = 1
    truth[32:] = IGNORED
    shown = np.asarray(decoded(images.error_map(image, truth, labels))).astype(int)
    redness = (shown[..., 0] - shown[..., 2])[:, 24]
    assert redness[8] > 150
    assert abs(redness[24]) < 10
    assert abs(redness[40]) < 10


def test_confidence_grows_brighter():
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None], 16, axis=0)
    shown = np.asarray(decoded(images.confidence_map(ramp)).convert("L")).astype(int)[8]
    assert shown[0] < shown[32] < shown[63]


@pytest.mark.parametrize("part", ["image", "truth", "labels", "confidence"])
def test_a_damaged_picture_is_named(part, run_folders, tmp_path):
    folder = shutil.copytree(run_folders[0], tmp_path / "run")
    picture = read_run(folder).pictures[0]
    path = getattr(picture, part)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match=path.name):
        images.read_answer(picture, images.read_source(picture))


def test_a_truth_of_another_size_is_refused(run_folders, tmp_path):
    folder = shutil.copytree(run_folders[0], tmp_path / "run")
    picture = read_run(folder).pictures[0]
    Image.new("L", (10, 10)).save(picture.truth)
    with pytest.raises(UserError, match=r"shape \(10, 10\)"):
        images.read_source(picture)
