"""Who may write to a run directory, and which configs may go on with it."""

import dataclasses
import os
import subprocess
import sys

import pytest

from switchseg import system
from switchseg.config import yaml
from switchseg.config.schema import RunConfig, TrainConfig
from switchseg.data.config import DataConfig
from switchseg.errors import UserError
from switchseg.optim.config import OptimConfig
from switchseg.runs.directory import RunDirectory
from switchseg.runs.journal import Journal

HOLD = """
import fcntl, sys
lock = open(sys.argv[1], "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    return RunDirectory(tmp_path / "run")


def test_one_process_holds_it_and_lets_go_when_it_dies(run):
    run.path.mkdir()
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(UserError, match="another process trains in it"), run.locked():
        pass
    holder.kill()
    holder.communicate()
    with run.locked():
        pass


def test_a_directory_that_nothing_was_written_into_is_left_as_it_was_found(tmp_path):
    for there in ("", "a", "a/b"):
        (tmp_path / there).mkdir(exist_ok=True)
        before = sorted(tmp_path.rglob("*"))
        run = RunDirectory(tmp_path / "a" / "b")
        with pytest.raises(UserError, match="refused"), run.locked():
            raise UserError("refused")
        assert sorted(tmp_path.rglob("*")) == before
    with run.locked():
        yaml.save(run.config, RunConfig())
    assert sorted(path.name for path in run.path.iterdir()) == [".lock", "config.yaml"]


def test_a_lock_that_its_holder_has_removed_meanwhile_holds_nothing(run, monkeypatch):
    run.path.mkdir()
    hold = system.hold

    def hold_too_late(file):
        os.unlink(file.name)
        hold(file)

    monkeypatch.setattr(system, "hold", hold_too_late)
    with pytest.raises(UserError, match="another process trains in it"), run.locked():
        pass


def test_a_path_that_cannot_be_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/run: cannot be used as a run directory"):
        RunDirectory(tmp_path / "file" / "run").locked().__enter__()


def test_what_does_not_change_the_training_may_differ(run):
    yaml.save(run.config, RunConfig())
    changed = RunConfig(
        data=DataConfig(root="elsewhere", workers=7, val_split="test"),
        train=TrainConfig(device="cpu", log_every=3, checkpoint_every=5, steps=200_000),
    )
    run.check_same_run(changed)


@pytest.mark.parametrize(
    ("section", "changed", "words"),
    [
        ("optim", OptimConfig(lr_encoder=0.5), r"optim\.lr_encoder = 0\.02, not 0\.5"),
        ("data", DataConfig(flip=False), r"data\.flip = True, not False"),
        ("train", TrainConfig(seed=1), r"train\.seed = 304, not 1"),
    ],
)
def test_what_makes_another_training_is_refused(run, section, changed, words):
    yaml.save(run.config, RunConfig())
    with pytest.raises(UserError, match=words):
        run.check_same_run(dataclasses.replace(RunConfig(), **{section: changed}))


def test_complete_means_scored_and_as_long_as_asked(run):
    run.path.mkdir()
    assert not run.is_complete(10)
    journal = Journal(run.journal)
    journal.write("end", 10, steps=10)
    journal.close()
    assert not run.is_complete(10)
    run.metrics.write_text("{}")
    assert run.is_complete(10)
    assert not run.is_complete(20)


def test_pictures_of_an_earlier_end_are_removed_and_nothing_else(run):
    for name in ("a_image.jpg", "a_truth.png", "deep/b_labels.png", "deep/b_confidence.png", "mine.png", "a_notes.txt"):
        (run.pictures / name).parent.mkdir(parents=True, exist_ok=True)
        (run.pictures / name).write_text("")
    run.remove_pictures()
    assert sorted(path.name for path in run.pictures.rglob("*") if path.is_file()) == ["a_notes.txt", "mine.png"]
