"""Results belong to what their source contains now, made by the model and rule of now."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from switchseg.config.inference import Rule
from switchseg.engine.finished import RECORD, Finished
from switchseg.engine.inputs import find_inputs
from switchseg.engine.predict import predict
from switchseg.engine.predictor import Predictor
from switchseg.errors import UserError

RULE = Rule(short_sides=(40,))


@pytest.fixture
def model(camvid_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(camvid_model, tmp_path / "model"))


def write(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 60, 3), np.uint8)).save(path)
    return path


def label(model: Path, inputs: list[Path], out: Path, **options: bool) -> dict[str, str]:
    predictor = Predictor(model, rule=RULE, device="cpu")
    return predict(predictor, find_inputs(inputs), out, quiet=True, **options)


def check(model: Path, source: Path, out: Path, name: str) -> None:
    with Image.open(out / f"{name}_labels.png") as labels, Image.open(out / f"{name}_overlay.png") as overlay:
        expected = Predictor(model, rule=RULE, device="cpu")(source)
        np.testing.assert_array_equal(np.asarray(labels), expected.labels)
        np.testing.assert_array_equal(np.asarray(overlay), np.asarray(expected.overlay()))
    assert list(json.loads((out / f"{name}_shares.json").read_text())) == list(expected.shares)


def test_folders_with_the_same_names_one_after_the_other(model: Path, tmp_path: Path) -> None:
    monday, tuesday = write(tmp_path / "monday" / "1.png", 1), write(tmp_path / "tuesday" / "1.png", 2)
    for folder in (monday, tuesday, monday):
        label(model, [folder.parent], tmp_path / "out")
        check(model, folder, tmp_path / "out", "1")


def test_folders_with_the_same_names_in_one_call_and_in_the_other_order(model: Path, tmp_path: Path) -> None:
    monday, tuesday = write(tmp_path / "monday" / "1.png", 1), write(tmp_path / "tuesday" / "1.png", 2)
    for first, second in ((monday, tuesday), (tuesday, monday)):
        label(model, [first.parent, second.parent], tmp_path / "out")
        check(model, first, tmp_path / "out", "1")
        check(model, second, tmp_path / "out", "1.png")


def test_a_file_that_is_replaced_with_its_size_and_times_kept(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.bmp", 1)
    label(model, [source], tmp_path / "out")
    before = source.stat()
    write(source, 2)
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert source.stat().st_size == before.st_size
    label(model, [source], tmp_path / "out")
    check(model, source, tmp_path / "out", "a")


@pytest.mark.parametrize("change", ["class names", "preprocessing", "weights"])
def test_a_model_that_changed_under_its_path(model: Path, camvid_model: Path, tmp_path: Path, change: str) -> None:
    source, weights = write(tmp_path / "a.png", 1), model / "model.safetensors"
    label(model, [source], tmp_path / "out")
    if change == "weights":
        before = weights.stat()
        content = bytearray(weights.read_bytes())
        content[-40000:] = content[-80000:-40000]
        weights.write_bytes(content)
        os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        config = json.loads((model / "config.json").read_text())
        config["classes"][0]["name"] = "renamed"
        config["preprocessing"]["scale"] *= 1 if change == "class names" else 0.1
        (model / "config.json").write_text(json.dumps(config))
    label(model, [source], tmp_path / "out")
    check(model, source, tmp_path / "out", "a")


def test_results_of_a_file_that_became_unreadable_are_taken_away(model: Path, tmp_path: Path) -> None:
    source, other = write(tmp_path / "in" / "a.png", 1), write(tmp_path / "in" / "b.png", 2)
    label(model, [source.parent], tmp_path / "out", submission=True)
    source.write_bytes(b"no image")
    assert list(label(model, [source.parent], tmp_path / "out", submission=True)) == [str(source)]
    left = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    kinds = {"b_labels.png", "b_overlay.png", "b_shares.json", "b.png"}
    assert left == {"legend.png", "predict.json", RECORD, *kinds}
    check(model, other, tmp_path / "out", "b")


def test_a_result_that_was_deleted_is_made_again(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.png", 1)
    label(model, [source], tmp_path / "out")
    (tmp_path / "out" / "a_labels.png").unlink()
    label(model, [source], tmp_path / "out")
    check(model, source, tmp_path / "out", "a")


def test_a_file_with_old_results_and_none_of_its_own_is_never_touched(model: Path, tmp_path: Path) -> None:
    truth = write(tmp_path / "in" / "a_labels.png", 5)
    write(tmp_path / "in" / "a.png", 1)
    before = truth.read_bytes()
    for inputs, complaint in (([tmp_path / "in"], "would be"), ([tmp_path / "in" / "a.png"], "is no result")):
        with pytest.raises(UserError, match=rf"a_labels\.png: {complaint}.* overwritten"):
            label(model, inputs, tmp_path / "in")
    assert truth.read_bytes() == before
    assert {path.name for path in (tmp_path / "in").iterdir()} == {"a.png", "a_labels.png"}


def test_a_folder_can_be_labelled_into_itself_twice(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write(tmp_path / "a.png", 1).parent
    (folder / "model").rename(folder.parent / f"{folder.name}_model")
    model = folder.parent / f"{folder.name}_model"
    predictor = Predictor(model, rule=RULE, device="cpu")
    for _ in range(2):
        inputs = find_inputs([folder], folder)
        assert [each.name for each in inputs] == ["a"]
        predict(predictor, inputs, folder, submission=True, quiet=True)
    write(folder / "b.png", 2)
    assert [each.name for each in find_inputs([folder], folder)] == ["a", "b"]
    assert not caplog.text  # of files that are left out


def test_a_damaged_record_makes_results_again(model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "a.png", 1)
    for damage in (b"\xff\n", b'{"name": "a", "sou', b"[1]\n5\n", b'{"name": ["a"], "source": 1, "settings": null}\n'):
        label(model, [source], tmp_path / "out")
        (tmp_path / "out" / RECORD).write_bytes(damage)
        write(source, len(damage))
        label(model, [source], tmp_path / "out")
        check(model, source, tmp_path / "out", "a")


def test_what_fails_while_it_is_made_leaves_nothing(tmp_path: Path) -> None:
    finished = Finished(tmp_path, {})

    def fail_halfway() -> None:
        with finished.making("a", "digest"):
            (tmp_path / "a_labels.png").write_bytes(b"")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail_halfway()
    assert list(tmp_path.iterdir()) == []
