"""Two small models, and a demo of them as a process of its own."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import yaml

from switchseg.checkpoints.model_directory import save_model
from switchseg.data.scenes.classes import SCENE_CLASSES
from switchseg.models.create import create_model
from tests.browser import browser as browser


class Demo(NamedTuple):
    address: str
    process: subprocess.Popen
    models: list[Path]
    uploads: Path


@pytest.fixture(scope="session")
def model_folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Run directories of an SN and a GN model with random weights that look at images with a short side of 120."""
    root = tmp_path_factory.mktemp("models")
    folders = []
    for seed, norm in enumerate(("sn", "gn")):
        torch.manual_seed(seed)
        classes = SCENE_CLASSES
        model = create_model("resnet18_dilated16", "c1_bilinear", norm, len(classes), classes=classes).eval()
        # Without this a random network finds one class everywhere.
        torch.nn.init.normal_(next(p for n, p in model.named_parameters() if p.shape[:1] == (len(classes),)), std=1.0)
        save_model(model, root / norm / "model")
        (root / norm / "config.yaml").write_text(yaml.safe_dump({"evaluate": {"short_sides": [120]}}))
        folders.append(root / norm)
    return folders


@pytest.fixture(scope="session")
def demo(model_folders: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The demo on a port of loopback, as `switchseg demo` starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("uploads")
    command = [sys.executable, "-m", "switchseg", "demo", *map(str, model_folders), "--port", str(port)]
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(folder), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        address = re.search(r"http://127\.0\.0\.1:\d+", line)
        assert address, line
        yield Demo(address[0], process, model_folders, folder)
        process.terminate()


def parsed(value: str) -> dict:
    """Return the viewer's value as an object."""
    return json.loads(value)
