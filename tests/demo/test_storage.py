"""Files stay while somebody waits for them and no longer; their space has a limit."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from switchseg.demo.storage import SECONDS_AFTER_ANSWER, SECONDS_WAITING, Storage, temporary_storage


def write(path: Path, content: bytes = b"x", age: float = 0.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    for each in (path, path.parent):
        os.utime(each, (time.time() - age,) * 2)
    return path


def test_files_that_nobody_asked_about_go_after_a_while_empty_ones_too(tmp_path: Path) -> None:
    storage = Storage(tmp_path, 100)
    old, empty = write(tmp_path / "a" / "x", age=SECONDS_AFTER_ANSWER + 1), write(tmp_path / "b", b"", age=1e6)
    new = write(tmp_path / "c" / "x")
    os.utime(old.parent, (0, 0))
    storage.sweep()
    assert not empty.exists()
    assert not old.exists()
    assert new.exists()


def test_empty_folders_go(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for folder in (tmp_path / "a" / "b", tmp_path / "a"):
        os.utime(folder, (0, 0))
    (tmp_path / "new").mkdir()
    Storage(tmp_path, 100).sweep()
    os.utime(tmp_path / "a", (0, 0))  # it changed when its folder went
    Storage(tmp_path, 100).sweep()
    assert os.listdir(tmp_path) == ["new"]


def test_what_is_waited_for_stays_until_after_its_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, now = Storage(tmp_path, 100), time.time()
    path = write(tmp_path / "x", age=1000)
    storage.await_answer(path)
    monkeypatch.setattr(time, "time", lambda: now + SECONDS_WAITING - 1)
    storage.sweep()
    assert path.exists()
    storage.answered(path)
    monkeypatch.setattr(time, "time", lambda: now + SECONDS_WAITING + SECONDS_AFTER_ANSWER - 2)
    storage.sweep()
    assert path.exists()
    monkeypatch.setattr(time, "time", lambda: now + SECONDS_WAITING + SECONDS_AFTER_ANSWER)
    storage.sweep()
    assert not path.exists()


def test_samples_stay(tmp_path: Path) -> None:
    storage = Storage(tmp_path, 100)
    sample = write(tmp_path / "sample", age=1e6)
    storage.keep_what_is_there()
    storage.sweep()
    assert sample.exists()


def test_room_is_what_is_left(tmp_path: Path) -> None:
    storage = Storage(tmp_path, 100)
    write(tmp_path / "a" / "x", bytes(60))
    for size, there_is in ((41, False), (40, True)):
        with storage.room_for(size) as found:
            assert found == there_is
    with storage.room_for(30), storage.room_for(11) as refused, storage.room_for(10) as found:
        assert (refused, found) == (False, True)
    with pytest.raises(ConnectionError), storage.room_for(40):
        raise ConnectionError  # the visitor has left
    with storage.room_for(40) as found:
        assert found


@pytest.mark.parametrize("given", [True, False])
def test_the_folder_is_its_own_and_goes_with_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: bool
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("GRADIO_TEMP_DIR", raising=False)
    if given:
        monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "wanted"))
    foreign = write(tmp_path / "wanted" / "foreign", age=1e6)
    with temporary_storage(100) as storage:
        assert os.environ["GRADIO_TEMP_DIR"] == str(storage.folder)
        assert storage.folder.parent == (tmp_path / "wanted" if given else tmp_path)
        write(storage.folder / "x")
    assert not storage.folder.exists()
    assert foreign.exists()
    assert os.environ.get("GRADIO_TEMP_DIR") == (str(tmp_path / "wanted") if given else None)
