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
FOUND = re.findall(r"```python\n# plugin: (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
FILES = dict(FOUND)

IMPORTS = [part for name in FILES for part in ("--import", name)]

CONFIG = """
plugins: [{plugins}]
model: {{encoder: plain, decoder: fcn, norm: frn}}
data: {{dataset: discs, root: ., pipeline: grey_crop, crop_size: [32, 32], crop_short_side: 48, workers: 2,
        augment: [{{name: posterize, bits: 3}}]}}
loss: {{terms: [cross_entropy, brier], weights: [1, 0.5]}}
optim: {{name: rmsprop, schedule: linear, lr_encoder: 0.001, lr_decoder: 0.001}}
train: {{steps: 4, images_per_device: 2, log_every: 2, checkpoint_every: 2, threads: 1, device: cpu,
         recorders: [csv]}}
evaluate: {{short_sides: [48], multi_short_sides: [], pictures: 1, extremes: 0}}
"""


def switchseg(*arguments: str, ranks: int = 1, folder: Path) -> subprocess.CompletedProcess:
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks), "-m"] if ranks > 1 else []
    command = [sys.executable, "-m", *launcher, "switchseg", *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the page beside a config that imports them all."""
    folder = tmp_path_factory.mktemp("extending")
    for name, content in FILES.items():
        (folder / name).write_text(content)
    (folder / "config.yaml").write_text(CONFIG.format(plugins=", ".join(FILES)))
    return folder


def test_every_file_is_on_the_page_once():
    assert [name for name, _ in FOUND] == list(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_short(name):
    assert len(FILES[name].splitlines()) <= 30


def test_all_files_can_be_imported_without_a_warning(folder):
    code = f"from switchseg.plugins import *; import_plugins({list(FILES)})"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    """A run that was trained by all of them, and went on once."""
    for steps in ("2", "4"):
        done = switchseg("train", "config.yaml", "--out", "run", "--train.steps", steps, folder=folder)
        assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_that_goes_on_finds_them_again(run, folder):
    assert training_state.latest(run / "checkpoints").name == "step_4.pt"
    assert [row for row in (run / "scalars.csv").read_text().splitlines() if row.startswith("4,train/loss,")]
    model = json.loads((run / "model" / "config.json").read_text())
    assert model["plugins"] == [str(folder / name) for name in FILES]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_other_commands_take_them_by_import_alone(run, folder):
    evaluate = ["evaluate", "run", "--dataset", "discs", "--root", ".", "--json", "scores.json"]
    refused = switchseg(*evaluate, "--import", "data_set.py", folder=folder)
    assert refused.returncode == 2
    assert f"--import {folder / 'decoder.py'}" in refused.stderr
    done = switchseg(*evaluate, *IMPORTS, folder=folder)
    assert done.returncode == 0, done.stderr
    single = json.loads((run / "metrics.json").read_text())["single"]
    assert json.loads((folder / "scores.json").read_text())["mean_iou"] == single["mean_iou"]

    exported = switchseg("export", "run", "--format", "torchscript", "--out", "model.pt", *IMPORTS, folder=folder)
    assert exported.returncode == 0, exported.stderr

    unfit = switchseg("check-data", "--dataset", "discs", "--root", ".", "--import", "data_set.py", folder=folder)
    assert unfit.returncode == 2
    assert unfit.stderr == "switchseg: error: --dataset: discs is not stored in files, which check-data looks at\n"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_ranks_use_them_and_find_them_again(folder):
    for steps in ("2", "4"):
        done = switchseg("train", "config.yaml", "--out", "ranks", "--train.steps", steps, ranks=2, folder=folder)
        assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in (folder / "ranks" / "log.jsonl").read_text().splitlines()]
    assert events[0]["environment"]["ranks"] == 2
    assert [event["step"] for event in events if event["event"] == "train"] == [2, 4]
    assert [
        row for row in (folder / "ranks" / "scalars.csv").read_text().splitlines() if row.startswith("4,train/loss,")
    ]
    model = json.loads((folder / "ranks" / "model" / "config.json").read_text())
    assert (model["encoder"], model["decoder"], model["norm"]) == ("plain", "fcn", "frn")
