import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from switchseg.checkpoints.model_directory import load_model, save_model
from switchseg.classes import Classes
from switchseg.cli import main
from switchseg.data.datasets import open_dataset
from switchseg.data.held_out import hold_out
from switchseg.models.create import create_model
from tests.data.trees import picture, save, values


def test_writes_the_fixed_keys_and_prints_a_line_per_class(
    small_model: Path, tiny_camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(
        ["evaluate", str(small_model), "--dataset", "camvid", "--root", str(tiny_camvid), "--short-sides", "32", "48"]
        + ["--flip", "--window", "32", "--json", str(tmp_path / "e.json"), "--confusion", str(tmp_path / "c.csv")]
        + ["--save", str(tmp_path / "pictures")]
    )
    assert code == 0
    entry = json.loads((tmp_path / "e.json").read_text())
    numbers = ("mean_iou", "mean_iou_all_classes", "pixel_accuracy", "overall_score", "mean_class_accuracy")
    assert all(0 <= entry[key] <= 1 for key in (*numbers, "frequency_weighted_iou"))
    assert (entry["images"], entry["short_sides"], entry["flip"]) == (3, [32, 48], True)
    assert [c["name"] for c in entry["per_class"]][:2] == ["Sky", "Building"]
    printed = capsys.readouterr().out
    assert all(c["name"] in printed for c in entry["per_class"])
    assert "windows of 32 every 21" in printed
    assert f"{100 * entry['mean_iou']:.2f}" in printed
    assert len(list((tmp_path / "pictures").iterdir())) == 3 * 4
    assert 0 <= entry["seams"]["along"] <= 1
    assert "of neighbouring pixels differ where windows meet" in printed
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 12


def test_names_are_printed_as_they_are_and_files_are_written_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/classes.txt").write_text("[void]\na [/b] :car:\n")
    save(tmp_path / "data/images/val/0.png", picture(0))
    save(tmp_path / "data/labels/val/0.png", values(0, [0, 1]))
    save_model(create_model("resnet18", "c1", "bn", classes=Classes.named(("[void]", "a [/b] :car:"))), tmp_path / "m")
    evaluate = ["evaluate", str(tmp_path / "m"), "--dataset", "folder", "--root", str(tmp_path / "data")]
    assert main([*evaluate, "--short-sides", "32"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any("[void]" in line for line in lines)
    assert any("a [/b] :car:" in line for line in lines)

    def fail(evaluation: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("switchseg.cli.evaluate.print_evaluation", fail)
    main([*evaluate, "--short-sides", "32", "--json", str(tmp_path / "e.json"), "--confusion", str(tmp_path / "c.csv")])
    assert json.loads((tmp_path / "e.json").read_text())["per_class"][0]["name"] == "[void]"
    assert (tmp_path / "c.csv").exists()


def test_what_a_training_held_out_is_scored_by_itself(small_model: Path, tiny_camvid: Path, tmp_path: Path) -> None:
    data = ["--dataset", "camvid", "--root", str(tiny_camvid), "--split", "train", "--short-sides", "32"]
    held_out = ["--val-fraction", "0.4", "--val-seed", "3", "--per-image", str(tmp_path / "images.csv")]
    assert main(["evaluate", str(small_model), *data, *held_out]) == 0
    dataset = hold_out(open_dataset("camvid", tiny_camvid, "train"), 0.4, 3)[1]
    scored = [line.split(",")[0] for line in (tmp_path / "images.csv").read_text().splitlines()[1:]]
    assert scored == [dataset.read(index).name for index in range(len(dataset))]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"--short-sides": "0"}, "short sides must be"),
        ({"--stride": "8"}, "the stride must come with a window"),
        ({"--root": "absent"}, "absent: no such folder"),
        ({"--dataset": "nocity"}, "--dataset: there is no data set 'nocity'"),
        ({"--split": "later"}, "later"),
        ({"--images-per-batch": "0"}, "at least 1 image per batch"),
        ({"--device": "abacus"}, "device 'abacus' is unknown"),
        ({"--rule": "2019"}, "2019"),
        ({"--val-fraction": "1"}, "--val-fraction: 1.0; at least 0 and below 1 was expected"),
    ],
)
def test_mistakes_end_with_one_line(
    small_model: Path, tiny_camvid: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], says: str
) -> None:
    flags = {"--dataset": "camvid", "--root": str(tiny_camvid), **change}
    assert main(["evaluate", str(small_model), *(word for flag in flags.items() for word in flag)]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.err.count("\n") == 1


def test_a_model_with_other_classes_ends_with_one_line(
    tmp_path: Path, tiny_camvid: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_model(create_model("resnet18", "c1", "bn", num_classes=4), tmp_path)
    assert main(["evaluate", str(tmp_path), "--dataset", "camvid", "--root", str(tiny_camvid)]) == 2
    assert capsys.readouterr().err.startswith("switchseg: error: the model has 4 classes but data set camvid has 11; ")


@pytest.mark.parametrize(("name", "sides"), [("single", (450,)), ("multi", (300, 400, 500, 600))])
def test_golden_label_maps(
    golden_model: Path, golden: Path, shared_data: Path, tmp_path: Path, name: str, sides: tuple[int, ...]
) -> None:
    image = shared_data / "ade20k_sample" / "images" / "ADE_val_00000001.jpg"
    flags = ["--out", str(tmp_path), "--submission", "--short-sides", *map(str, sides)]
    assert main(["predict", str(golden_model), str(image), *flags]) == 0
    with Image.open(golden / f"ade_image1_{name}.png") as expected:  # stored as class + 1
        truth = np.asarray(expected)
    with Image.open(tmp_path / "submission" / f"{image.stem}.png") as found:
        assert (np.asarray(found) == truth).mean() >= 0.9999
    with Image.open(tmp_path / f"{image.stem}_labels.png") as found:
        assert (np.asarray(found) == truth - 1).mean() >= 0.9999


def test_golden_evaluation(golden_model: Path, golden: Path, shared_data: Path, tmp_path: Path) -> None:
    """One image's scores equal those of the loop of 2018 to the pixels on which its label map differs."""
    from switchseg.config.inference import Rule
    from switchseg.data.datasets import open_dataset
    from switchseg.engine.evaluate import evaluate

    dataset = open_dataset("ade20k", shared_data / "ade20k_sample", "val")
    first = next(index for index in range(len(dataset)) if dataset.read(index).name.endswith("1"))

    class FirstImage:
        name, classes, decoder = dataset.name, dataset.classes, "pillow"

        def __len__(self) -> int:
            return 1

        def sizes(self) -> np.ndarray:
            return dataset.sizes()[first : first + 1]

        def read(self, index: int) -> object:
            return dataset.read(first)

    with torch.inference_mode():
        result = evaluate(load_model(golden_model), FirstImage(), Rule(short_sides=(450,)), quiet=True)  # type: ignore[arg-type]
    expected = json.loads((golden / "ade_image1_eval.json").read_text())["single_1"]["pixel_accuracy"]
    assert result.scores.pixel_accuracy == pytest.approx(expected, abs=2e-5)
