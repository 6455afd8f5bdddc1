import os
import subprocess
import sys

import pytest

from switchseg.data.datasets import open_dataset
from switchseg.data.workers import dead_workers_named
from tests.data.trees import ade_folders


@pytest.fixture
def dataset(tmp_path):
    return open_dataset("odgt", ade_folders(tmp_path, 7 * [(40, 60)]), "train")


def run(program, dataset):
    """Run a program of its own on the data set: signals would hit the tests."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(dataset.record(0).image)))
    head = (
        "import multiprocessing, os, signal, sys, time\n"
        "from switchseg.data.config import DataConfig\n"
        "from switchseg.data.datasets import open_dataset\n"
        "from switchseg.data.loader import build_loader\n"
        "from switchseg.data.workers import dead_workers_named\n"
        "from switchseg.errors import UserError\n"
        "dataset = open_dataset('odgt', sys.argv[1], 'train')\n"
        "config = DataConfig(workers=2, short_sides=(30,))\n"
        "loader = build_loader(config, dataset, images_per_rank=2, seed=0, steps=40, stride=8)\n"
    )
    return subprocess.run([sys.executable, "-c", head + program, root], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("busy", [0.05, 0.0])
def test_a_dead_worker_ends_with_its_cause(dataset, busy):
    program = (
        "import switchseg.data.workers\n"
        "switchseg.data.workers._GRACE_SECONDS = 1\n"
        "def train():\n"
        "    with dead_workers_named():\n"
        "        for number, _ in enumerate(loader):\n"
        "            if number == 1:\n"
        "                os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)\n"
        f"            time.sleep({busy})\n"
        "try:\n"
        "    train()\n"
        "except UserError as error:\n"
        "    print(error)\n"
    )
    line = run(program, dataset).stdout
    assert line.startswith("data.workers: a data worker died (")
    assert line.endswith("if memory or /dev/shm ran out, lower data.workers\n")
    assert line.count("\n") == 1


def test_other_errors_pass_by():
    with pytest.raises(RuntimeError, match="^mine$"), dead_workers_named():
        raise RuntimeError("mine")


def test_an_interrupt_leaves_the_workers_to_the_training_process(dataset):
    # A Ctrl-C goes to the whole process group; the loop that handles it must still get its batches.
    program = (
        "os.setpgrp()\n"
        "signal.signal(signal.SIGINT, lambda *_: None)\n"
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "for number, _ in enumerate(loader):\n"
        "    if number in (3, 6):\n"
        "        os.killpg(0, signal.SIGINT if number == 3 else signal.SIGTERM)\n"
        "print('batches', number + 1)\n"
    )
    done = run(program, dataset)
    assert (done.returncode, done.stdout, done.stderr) == (0, "batches 40\n", "")
