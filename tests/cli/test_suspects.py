"""Label errors that a trained network has not learned: planted, trained on, and found."""

import json

import numpy as np
import pytest

from switchseg.cli import main
from tests.data.trees import save

IMAGES, ROWS, COLUMNS, SIDE = 24, 3, 4, 16
COLOURS = np.array([(200, 60, 60), (60, 180, 70), (70, 80, 210), (210, 200, 80)], np.uint8)
PLANTED = 14  # 5 % of the tiles
CONFIG = """
model: {encoder: test_resnet_dilated8, decoder: c1_bilinear, norm: gn}
data: {dataset: folder, pipeline: crop, crop_size: [32, 48], crop_short_side: 48, crop_scales: [0.8, 1.25], workers: 0}
optim: {name: adamw, lr_encoder: 0.003, lr_decoder: 0.003}
train: {steps: 150, images_per_device: 4, device: cpu, threads: 1, recorders: []}
evaluate: {short_sides: [48], multi_short_sides: [], pictures: 0, extremes: 0}
"""


@pytest.fixture
def tiles(tmp_path):
    """A folder of noisy coloured tiles, 5 % of whose labels are wrong: {(image, row, column): class that is right}."""
    random = np.random.default_rng(0)
    truth = np.zeros((IMAGES, ROWS, COLUMNS), np.int64)
    for place in np.ndindex(truth.shape):
        # No tile touches another of its class, so that each is a region.
        image, row, column = place
        near = {truth[image, row - 1, column]} if row else set()
        near |= {truth[image, row, column - 1]} if column else set()
        truth[place] = random.choice([index for index in range(len(COLOURS)) if index not in near])
    wrong = {}
    given = truth.copy()
    for number in random.choice(truth.size, PLANTED, replace=False):
        place = np.unravel_index(number, truth.shape)
        wrong[tuple(map(int, place))] = int(truth[place])
        given[place] = (truth[place] + random.integers(1, len(COLOURS))) % len(COLOURS)
    for image in range(IMAGES):
        right, label = (np.kron(grid[image], np.ones((SIDE, SIDE), np.int64)) for grid in (truth, given))
        noise = random.normal(0, 25, (*right.shape, 3))
        save(tmp_path / f"data/images/{image:02d}.png", np.clip(COLOURS[right] + noise, 0, 255).astype(np.uint8))
        save(tmp_path / f"data/labels/{image:02d}.png", label.astype(np.uint8))
    (tmp_path / "data/classes.txt").write_text("red\ngreen\nblue\nyellow\n")
    return wrong


@pytest.mark.slow
def test_networks_that_have_not_seen_a_label_find_its_errors(tiles, tmp_path, capsys):
    config, run = tmp_path / "config.yaml", tmp_path / "run"
    config.write_text(CONFIG)
    held_out = ["--data.root", str(tmp_path / "data"), "--data.val-fraction", "0.2"]
    assert main(["train", str(config), "--out", str(run), *held_out]) == 0
    assert main(["suspects", str(run), "--device", "cpu", "--folds", "3", "--pictures", "0"]) == 0
    found = json.loads((run / "suspects/suspects.json").read_text())
    assert found["images_searched"] == IMAGES
    first = {
        (int(region["image"]), (top + bottom) // 2 // SIDE, (left + right) // 2 // SIDE)
        for region in found["regions"][: IMAGES * ROWS * COLUMNS // 10]
        for top, left, bottom, right in [region["box"]]
    }
    assert len(first & tiles.keys()) >= 0.8 * PLANTED, sorted(tiles.keys() - first)


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--folds", "1"], "--folds 1: 0, or 2 to 20 were expected"),
        (["--folds", "2", "--split", "val"], "--folds: those of the training split"),
        (["--pictures", "-1"], "--pictures -1: 0 to 999"),
        ([], "FOLDER: no run directory (it has no config.yaml); give the --out folder of a training"),
    ],
)
def test_a_search_that_cannot_be_is_one_line(tmp_path, capsys, flags, complaint):
    assert main(["suspects", str(tmp_path), *flags]) == 2
    assert capsys.readouterr().err.startswith(f"switchseg: error: {complaint.replace('FOLDER', str(tmp_path))}")
