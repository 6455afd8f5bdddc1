"""The blocks of the pages, run as they stand: each page in a folder of its own, from top to bottom.

Blocks of `sh` are run. Those of `bash` need something that is not there (a data set, a package index); that they are
understood is seen in test_command_lines. Pages on plugins and hosts are run by test_extending and tests/integrations.
"""

import os
import re
import shlex
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.docs.pages import PAGES, REPOSITORY, blocks
from tests.integrations.hosts import host

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY / "src")}


def run_python(name, folder):
    """Run all blocks of Python of a page as one program."""
    found = blocks(REPOSITORY / "docs" / name, "python")
    # The demo's client needs a server: tests/demo/test_app.py asks one.
    code = "\n".join(block for block in found if "gradio_client" not in block)
    assert code
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_shell(name, folder):
    """Run all blocks of shell of a page, command by command; return what they printed."""
    commands = "".join(blocks(REPOSITORY / "docs" / name, "sh")).replace("\\\n", "").splitlines()
    assert commands
    printed = []
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "switchseg"
        done = subprocess.run(
            [sys.executable, "-m", "switchseg", *arguments], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        printed.append(done.stdout)
    return printed


def test_a_newcomer_sees_a_model_at_work(tmp_path):
    run_shell("start.md", tmp_path)
    assert (tmp_path / "report.html").is_file()
    assert len(list((tmp_path / "labelled").glob("*_labels.png"))) == 12
    assert "Prediction" in run_python("start.md", tmp_path)


def test_three_norms_train_on_one_image(tmp_path):
    run_shell("batch-of-one.md", tmp_path)
    assert (tmp_path / "runs" / "one" / "report.html").is_file()


def test_a_model_is_converted_trained_and_calibrated(tmp_path):
    printed = run_python("convert.md", tmp_path)
    shares = [float(share) for share in re.findall(r"'(?:in|ln|bn)': ([\d.]+)", printed)]
    assert len(shares) == 3
    assert sum(shares) == pytest.approx(1)
    assert shares[2] != 0.9


def test_a_volume_trains(tmp_path):
    host("monai")
    assert "'bn'" in run_python("volumes.md", tmp_path)


@pytest.mark.parametrize(("name", "printed"), [("install.md", "[2, 64, 32, 32]"), ("coming-from.md", "2\n")])
def test_short_snippets(name, printed, tmp_path):
    assert printed in run_python(name, tmp_path)


@pytest.fixture
def workplace(tmp_path):
    """A folder with what the pages speak of: finished runs, photographs and a data set."""
    runs = {"mine": "models/camvid-tf_efficientnet_lite0-sn", "quickstart/sn": "models/camvid-tf_efficientnet_lite0-sn"}
    runs |= {norm: f"docs/results/quickstart/{norm}" for norm in ("syncbn", "gn", "sn")}
    for name, target in runs.items():
        (tmp_path / "runs" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "runs" / name).symlink_to(REPOSITORY / target)
    random = np.random.default_rng(0)
    photographs = ["a.jpg", "b.jpg", "street.jpg", "runs/scenes/images/validation/scene_val_000000.jpg"]
    for name in [*photographs, *(f"data/CamVid/{split}/1.png" for split in ("train", "test"))]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (60, 80, 3), np.uint8)).save(tmp_path / name)
    for split in ("train", "test"):
        (tmp_path / f"data/CamVid/{split}annot").mkdir()
        Image.fromarray(random.integers(0, 11, (60, 80), np.uint8)).save(tmp_path / f"data/CamVid/{split}annot/1.png")
    return tmp_path


@pytest.mark.parametrize("name", ["../README.md", "data.md", "evaluation.md", "models.md", "norms.md", "reports.md"])
def test_snippets_of_the_reference(name, workplace):
    run_python(name, workplace)
    if name in ("../README.md", "evaluation.md"):
        assert (workplace / "overlay.png").is_file()


def test_every_block_of_python_is_on_a_page_that_is_run():
    run = {"README.md", "data.md", "evaluation.md", "models.md", "norms.md", "reports.md"}
    run |= {"start.md", "convert.md", "volumes.md", "install.md", "coming-from.md"}
    elsewhere = {"extending.md", "integrations.md"}
    assert {page.name for page in PAGES if blocks(page, "python")} == run | elsewhere
