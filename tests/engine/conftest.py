"""A small model directory for the tests of evaluation and prediction."""

from pathlib import Path

import pytest
import torch

from switchseg.checkpoints.model_directory import save_model
from switchseg.data.readers.camvid import open_camvid
from switchseg.metrics import pairs
from switchseg.models.create import create_model


@pytest.fixture(scope="session")
def camvid_model(tiny_camvid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained ResNet-18 with Switchable Normalization and CamVid's eleven classes, saved."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("camvid_model")
    save_model(create_model("resnet18", "c1", "sn", classes=open_camvid(tiny_camvid, "val").classes), path)
    return path


@pytest.fixture
def seen_by_torch(monkeypatch):
    """A tape sees torch's operators; of the compiled loops on the CPU it sees nothing."""
    monkeypatch.setattr(pairs, "loop", None)
