"""Counts of an evaluation that was stopped go on with the same data, and with nothing else."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from switchseg.checkpoints.model_directory import load_model
from switchseg.config.inference import Rule
from switchseg.data.datasets import open_dataset
from switchseg.engine.evaluate import evaluate
from switchseg.engine.tally import Tally
from switchseg.errors import UserError

RULE = Rule(short_sides=(48,))


@pytest.fixture
def stopped(camvid_model: Path, tiny_camvid: Path, tmp_path: Path) -> Path:
    """A data set whose last image could not be read at first, so that there are counts of the others."""
    root = Path(shutil.copytree(tiny_camvid, tmp_path / "data"))
    last = root / "val" / "val_2.png"
    content = last.read_bytes()
    last.write_bytes(b"no image")
    with pytest.raises(UserError):
        score(camvid_model, root, tmp_path / "partial")
    assert len(json.loads((tmp_path / "partial").read_text())["per_image"]) == 1
    last.write_bytes(content)
    return root


def score(model: Path, root: Path, partial: Path | None) -> np.ndarray:
    return evaluate(load_model(model), open_dataset("camvid", root, "val"), RULE, partial=partial, quiet=True).matrix


def test_nothing_is_kept_where_nothing_was_counted(camvid_model: Path, tiny_camvid: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(tiny_camvid, tmp_path / "data"))
    (root / "val" / "val_0.png").write_bytes(b"no image")
    with pytest.raises(UserError):
        score(camvid_model, root, tmp_path / "partial")
    assert not (tmp_path / "partial").exists()


def test_counts_of_files_that_changed_are_not_added(stopped: Path, camvid_model: Path, tmp_path: Path) -> None:
    Image.fromarray(np.ones((64, 48), np.uint8)).save(stopped / "valannot" / "val_0.png")
    resumed = score(camvid_model, stopped, tmp_path / "partial")
    np.testing.assert_array_equal(resumed, score(camvid_model, stopped, None))


def test_counts_of_another_folder_are_not_added(stopped: Path, camvid_model: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for split in ("val", "valannot"):
        for path in (stopped / split).iterdir():
            (other / split).mkdir(parents=True, exist_ok=True)
            with Image.open(path) as image:
                image.transpose(Image.Transpose.ROTATE_180).save(other / split / path.name)
    resumed = score(camvid_model, other, tmp_path / "partial")
    np.testing.assert_array_equal(resumed, score(camvid_model, other, None))


def test_a_mended_image_lets_the_counts_go_on(
    stopped: Path, camvid_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    added: list[str] = []
    add = Tally.add
    monkeypatch.setattr(Tally, "add", lambda self, name, *maps: (added.append(name), add(self, name, *maps))[1])
    score(camvid_model, stopped, tmp_path / "partial")
    assert added == ["val_1", "val_2"]


@pytest.mark.parametrize("damage", ["matrix", "per_image", "seconds", "key", None])
def test_damaged_counts_are_begun_anew(stopped: Path, camvid_model: Path, tmp_path: Path, damage: str | None) -> None:
    state = json.loads((tmp_path / "partial").read_text())
    (tmp_path / "partial").write_text(json.dumps(5 if damage is None else {**state, damage: [[1]]}))
    resumed = score(camvid_model, stopped, tmp_path / "partial")
    np.testing.assert_array_equal(resumed, score(camvid_model, stopped, None))
