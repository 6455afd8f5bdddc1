"""The files of docs/extending.md, from outside the package: short, and used by the commands as the page says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from switchseg.checkpoints import training_state

PAGE = Path(__file__).parent.parent / "docs" / "extending.md"
FILES = dict(re.findall(r"```python\n# plugin: (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL))

CONFIG = """
plugins: [{plugins}]
model: {{encoder: plain, decoder: fcn, norm: frn}}
data: {{dataset: discs, root: ., pipeline: grey_crop, crop_size: [32, 32], crop_short_side: 48, workers: 2}}
optim: {{name: rmsprop, schedule: linear, lr_encoder: 0.001, lr_decoder: 0.001}}
train: {{steps: 4, images_per_device: 2, log_every: 2, checkpoint_every: 2, threads: 1, device: cpu}}
evaluate: {{short_sides: [48], multi_short_sides: [], pictures: 1, extremes: 0}}
"""


def switchseg(*arguments: str, ranks: int = 1, folder: Path) -> subprocess.CompletedProcess:
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks), "-m"] if ranks > 1 else []
    command = [sys.executable, "-m", *launcher, "switchseg", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=250, cwd=folder, env=environment)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the page beside a config that imports them all."""
    folder = tmp_path_factory.mktemp("extending")
    for name, content in FILES.items():
        (folder / name).write_text(content)
    (folder / "config.yaml").write_text(CONFIG.format(plugins=", ".join(FILES)))
    return folder


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_short(name):
    assert len(FILES[name].splitlines()) <= 30


def test_all_files_can_be_imported_without_a_warning(folder):
    code = f"from switchseg.plugins import *; import_plugins({list(FILES)})"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_run_its_resumption_its_evaluation_and_two_ranks_use_them(folder):
    names = [str(folder / name) for name in FILES]
    flags = ["train", "config.yaml", "--out", "run"]
    first = switchseg(*flags, "--train.steps", "2", folder=folder)
    assert first.returncode == 0, first.stderr
    resumed = switchseg(*flags, folder=folder)
    assert resumed.returncode == 0, resumed.stderr
    assert training_state.latest(folder / "run" / "checkpoints").name == "step_4.pt"
    assert json.loads((folder / "run" / "model" / "config.json").read_text())["plugins"] == names

    evaluate = ["evaluate", "run", "--dataset", "discs", "--root", ".", "--json", "scores.json"]
    refused = switchseg(*evaluate, "--import", "data_set.py", folder=folder)
    assert refused.returncode == 2
    assert f"--import {folder / 'decoder.py'}" in refused.stderr
    imports = [part for name in FILES for part in ("--import", name)]
    done = switchseg(*evaluate, *imports, folder=folder)
    assert done.returncode == 0, done.stderr
    single = json.loads((folder / "run" / "metrics.json").read_text())["single"]
    assert json.loads((folder / "scores.json").read_text())["mean_iou"] == single["mean_iou"]

    exported = switchseg("export", "run", "--format", "torchscript", "--out", "model.pt", *imports, folder=folder)
    assert exported.returncode == 0, exported.stderr

    ranks = switchseg("train", "config.yaml", "--out", "ranks", "--train.timeout", "60", ranks=2, folder=folder)
    assert ranks.returncode == 0, ranks.stderr
    start = json.loads((folder / "ranks" / "log.jsonl").read_text().splitlines()[0])
    assert start["environment"]["ranks"] == 2
