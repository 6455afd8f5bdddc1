"""Checkpoints are whole or absent, whatever stops the process that writes them."""

import contextlib
import errno
import os
import pickle

import pytest
import torch

from switchseg.checkpoints import training_state
from switchseg.errors import UserError


def state(step: int) -> dict:
    return {"step": step, "model": {"weight": torch.full((64,), float(step))}}


def test_what_was_saved_is_loaded(tmp_path):
    path = training_state.save(tmp_path, state(3), 3, keep=2)
    loaded = training_state.load(path)
    assert loaded["step"] == 3
    assert torch.equal(loaded["model"]["weight"], torch.full((64,), 3.0))


def test_the_last_k_are_kept_and_the_newest_is_found(tmp_path):
    for step in (5, 10, 100):
        training_state.save(tmp_path, state(step), step, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last", "step_10.pt", "step_100.pt"]
    assert training_state.latest(tmp_path) == tmp_path / "step_100.pt"


def test_without_the_pointer_the_highest_step_is_found(tmp_path):
    for step in (5, 10, 100):
        training_state.save(tmp_path, state(step), step, keep=3)
    (tmp_path / "last").unlink()
    assert training_state.latest(tmp_path) == tmp_path / "step_100.pt"


def test_an_empty_or_absent_folder_has_no_checkpoint(tmp_path):
    assert training_state.latest(tmp_path) is None
    assert training_state.latest(tmp_path / "absent") is None


class Stopped(BaseException):
    """Stands for the death of the process between two file-system operations."""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("moment", range(8))
def test_a_save_that_dies_between_two_operations_leaves_a_complete_checkpoint(tmp_path, monkeypatch, when, moment):
    """In SQLite's manner: stop at the n-th operation of the save, before or after it took effect."""
    training_state.save(tmp_path, state(1), 1, keep=1)
    seen = 0

    def instrumented(operation):
        def call(*arguments, **options):
            nonlocal seen
            seen += 1
            if seen - 1 == moment and when == "before":
                raise Stopped
            result = operation(*arguments, **options)
            if seen - 1 == moment:
                raise Stopped
            return result

        return call

    with monkeypatch.context() as patch:
        for name in ("fsync", "replace", "unlink"):
            patch.setattr(os, name, instrumented(getattr(os, name)))
        with contextlib.suppress(Stopped):
            training_state.save(tmp_path, state(2), 2, keep=1)
    found = training_state.latest(tmp_path)
    assert training_state.load(found)["step"] == training_state.step_of(found)
    training_state.save(tmp_path, state(3), 3, keep=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last", "step_3.pt"]


def test_a_full_disk_leaves_the_previous_checkpoint_and_says_so(tmp_path, monkeypatch):
    training_state.save(tmp_path, state(1), 1, keep=2)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"step_2\.pt: cannot be written \(No space left on device\).*step_1\.pt"):
        training_state.save(tmp_path, state(2), 2, keep=2)
    assert training_state.load(training_state.latest(tmp_path))["step"] == 1
    assert not list(tmp_path.glob(".*"))


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "step_1.pt"
    path.write_bytes(pickle.dumps({"step": Bomb()}))
    with pytest.raises(UserError, match=r"step_1\.pt: not a checkpoint that can be read safely"):
        training_state.load(path)
    torch.save({"step": Bomb()}, path)
    with pytest.raises(UserError, match=r"step_1\.pt: not a checkpoint that can be read safely"):
        training_state.load(path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("size", [0, 1, 100, -1])
def test_a_truncated_file_is_named(tmp_path, size):
    path = training_state.save(tmp_path, state(1), 1, keep=1)
    content = path.read_bytes()
    path.write_bytes(content[:size])
    with pytest.raises(UserError, match=r"step_1\.pt: not a checkpoint"):
        training_state.load(path)
