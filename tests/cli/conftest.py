"""Models that the tests of several commands use."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from switchseg.checkpoints.model_directory import save_model
from switchseg.classes import Classes
from switchseg.cli import main
from switchseg.data.datasets import open_dataset
from switchseg.models.create import create_model


@pytest.fixture(scope="session")
def small_model(tiny_camvid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained ResNet-18 with CamVid's classes, saved as a model directory."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("small_model")
    save_model(create_model("resnet18", "c1", "sn", classes=open_dataset("camvid", tiny_camvid, "val").classes), path)
    return path


@pytest.fixture(scope="session")
def two_class_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained ResNet-18 that tells cracks from background, saved as a model directory."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("two_class_model")
    save_model(create_model("resnet18", "c1", "sn", classes=Classes.named(("background", "crack"))), path)
    return path


@pytest.fixture(scope="session")
def golden_model(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden ResNet-50 of 150 classes, imported from the two files that `weights.py` writes."""
    folder = tmp_path_factory.mktemp("golden_model")
    manifest = golden / "resnet50_dilated8-c1_bilinear_deepsup-ade150.json"
    subprocess.run([sys.executable, golden / "weights.py", manifest, folder], check=True)
    parts = [f"--{part}={folder / f'{part}_epoch_20.pth'}" for part in ("encoder", "decoder")]
    architecture = ["--arch-encoder=resnet50_dilated8", "--arch-decoder=c1_bilinear_deepsup", "--num-classes=150"]
    arguments = ["import-weights", *parts, *architecture, "--preprocessing=bgr", f"--out={folder / 'model'}"]
    assert main(arguments) == 0
    return folder / "model"
