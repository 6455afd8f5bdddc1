"""The blocks of the pages for newcomers, run as they stand: each page in a folder of its own, from top to bottom.

Blocks of `sh` are run. Those of `bash` need something that is not there (a data set, a package index); what flags they
give is looked at in test_commands.
"""

import os
import re
import shlex
import subprocess
import sys

import pytest

from tests.docs.pages import REPOSITORY, blocks
from tests.integrations.hosts import host

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY / "src")}


def run_python(name, folder):
    """Run all blocks of Python of a page as one program."""
    code = "\n".join(blocks(REPOSITORY / "docs" / name, "python"))
    assert code
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_shell(name, folder):
    """Run all blocks of shell of a page, command by command; return what they printed."""
    (folder / "configs").symlink_to(REPOSITORY / "configs")
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
