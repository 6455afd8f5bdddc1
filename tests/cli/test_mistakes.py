"""Mistakes that users make end with exit code 2 and one line that names the file or key."""

import os
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from switchseg.checkpoints.model_directory import save_model
from switchseg.classes import Classes
from switchseg.cli import COMMANDS, ON_RANKS, main
from switchseg.models.create import create_model
from switchseg.recorders import RECORDERS

CONFIG = """
model: {encoder: resnet18_dilated8, decoder: c1_bilinear, norm: gn}
data: {dataset: camvid, short_sides: [32], workers: 0}
train: {steps: 8, images_per_device: 2, threads: 1}
evaluate: {short_sides: [32], multi_short_sides: []}
"""


@pytest.fixture
def data(tiny_camvid, tmp_path) -> Path:
    return Path(shutil.copytree(tiny_camvid, tmp_path / "data"))


def one_line(capsys) -> str:
    errors = capsys.readouterr().err
    assert errors.startswith("switchseg: error: ")
    assert errors.count("\n") == 1, errors
    return errors


def train(folder: Path, data: Path, *flags: str) -> int:
    (folder / "c.yaml").write_text(CONFIG)
    return main(["train", str(folder / "c.yaml"), "--out", str(folder / "run"), "--data.root", str(data), *flags])


def first(data: Path, folder: str) -> Path:
    return sorted((data / folder).iterdir())[0]


def damage_label_value(data: Path) -> tuple[str, ...]:
    path = first(data, "trainannot")
    label = np.array(Image.open(path))
    label[3, 4] = 77
    Image.fromarray(label).save(path)
    return path.name, "77"


def damage_image(data: Path) -> tuple[str, ...]:
    path = first(data, "train")
    path.write_bytes(path.read_bytes()[:200])
    return (path.name,)


def remove_label(data: Path) -> tuple[str, ...]:
    path = first(data, "trainannot")
    path.unlink()
    return (path.stem,)


def resize_label(data: Path) -> tuple[str, ...]:
    path = first(data, "trainannot")
    Image.open(path).resize((20, 30)).save(path)
    return path.name, "20x30"


def empty_split(data: Path) -> tuple[str, ...]:
    for path in (data / "train").iterdir():
        path.unlink()
    return ("train",)


@pytest.mark.parametrize("damage", [damage_label_value, damage_image, remove_label, resize_label, empty_split])
@pytest.mark.parametrize("workers", ["0", "1"])
def test_data_that_cannot_be_trained_on_is_named(tmp_path, data, capsys, damage, workers):
    words = damage(data)
    assert train(tmp_path, data, "--data.workers", workers) == 2
    line = one_line(capsys)
    for word in words:
        assert word in line


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


def test_a_checkpoint_with_code_is_refused_and_not_run(tmp_path, data, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"step": Bomb()}, tmp_path / "bomb.pt")
    assert train(tmp_path, data, "--resume", str(tmp_path / "bomb.pt")) == 2
    assert "bomb.pt" in one_line(capsys)
    (tmp_path / "pickle.pth").write_bytes(pickle.dumps({"conv1.weight": Bomb()}))
    torch.save({"conv1.weight": Bomb()}, tmp_path / "torch.pth")
    for name in ("pickle.pth", "torch.pth"):
        flags = ["--encoder", name, "--decoder", name, "--arch-encoder", "resnet50_dilated8"]
        flags += ["--arch-decoder", "c1_bilinear", "--num-classes", "3", "--out", "imported"]
        assert main(["import-weights", *flags]) == 2
        assert name in one_line(capsys)
    assert not (tmp_path / "exploded").exists()
    assert not (tmp_path / "imported").exists()


def test_a_model_with_other_classes_than_the_data_is_refused(tmp_path, data, capsys):
    save_model(create_model("resnet18_dilated8", "c1", "gn", classes=Classes.unnamed(5)), tmp_path / "model")
    assert main(["evaluate", str(tmp_path / "model"), "--dataset", "camvid", "--root", str(data)]) == 2
    line = one_line(capsys)
    assert "5 classes" in line
    assert "11" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "nowhere", "--dataset", "camvid", "--root", "DATA"],
        ["predict", "nowhere", "DATA", "--out", "x"],
        ["report", "nowhere"],
        ["train", "nowhere.yaml"],
        ["compare", "nowhere.yaml"],
    ],
)
def test_what_is_not_there_is_named(arguments, tiny_camvid, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([str(tiny_camvid) if argument == "DATA" else argument for argument in arguments]) == 2
    assert "nowhere" in one_line(capsys)


def test_an_unknown_command_lists_the_known_ones(capsys):
    assert main(["trian"]) == 2
    line = one_line(capsys)
    assert all(command in line for command in COMMANDS)


@pytest.mark.parametrize("verb", COMMANDS)
def test_every_command_has_help(verb, capsys):
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert not stop.value.code
    assert f"switchseg {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("verb", [verb for verb in COMMANDS if verb not in ("bench",)])
def test_an_unknown_flag_is_one_line(verb, capsys):
    assert main([verb, "--no-such-flag", "1", "x.yaml"]) == 2
    assert one_line(capsys)


@pytest.mark.parametrize("verb", [verb for verb in COMMANDS if verb not in ON_RANKS])
def test_what_is_one_process_says_so_under_torchrun(verb, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert main([verb]) == 2
    assert f"error: {verb} runs as one process, but there are 2 (WORLD_SIZE)" in one_line(capsys)


@pytest.mark.parametrize("verb", ON_RANKS)
def test_what_uses_ranks_is_looked_up_in_the_table(verb):
    assert verb in COMMANDS


@pytest.mark.parametrize("name", ["wandb", "mlflow", "tensorboard"])
def test_a_recorder_that_is_not_installed_is_told_before_anything_is_written(tmp_path, capsys, monkeypatch, name):
    for module in (name, "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, f"switchseg.recorders.{name}", raising=False)
    monkeypatch.setattr(RECORDERS, "_entries", {})
    assert train(tmp_path, tmp_path, "--train.recorders", name) == 2
    assert f"train.recorders: {name} is not installed; pip install" in one_line(capsys)
    assert not (tmp_path / "run").exists()
