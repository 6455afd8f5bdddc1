import os
from pathlib import Path

import pytest
from PIL import Image

from switchseg.engine.inputs import check_nothing_is_lost, find_inputs
from switchseg.errors import UserError


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (2, 3)).save(path)
    return path


def test_inputs_are_files_folders_and_patterns_each_once(tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg", "deep/er/a.png", "deep/ü.png", "notes.txt"):
        write(tmp_path / name) if name[-3:] != "txt" else (tmp_path / name).write_text("")
    folder = find_inputs([tmp_path])
    assert [each.name for each in folder] == ["a", "b", "deep/er/a", "deep/ü"]
    assert find_inputs([tmp_path, str(tmp_path / "*.png"), tmp_path / "a.png"]) == folder
    assert [each.name for each in find_inputs([str(tmp_path / "**" / "a.png")])] == ["a", "a.png"]


def test_names_never_collide(tmp_path: Path) -> None:
    paths = [write(tmp_path / name) for name in ("x/a.png", "x/a.jpg", "y/a.png", "z/a.png")]
    assert [each.name for each in find_inputs(paths)] == ["a", "a.jpg", "a.png", "a-2"]


def test_a_link_to_its_own_folder_ends(tmp_path: Path) -> None:
    write(tmp_path / "a.png")
    os.symlink(tmp_path, tmp_path / "again")
    assert [each.name for each in find_inputs([tmp_path])] == ["a"]


def test_folders_are_listed_as_those_of_data_sets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("in/a.jpg", "disk/b.jfif", "disk/c.avif"):
        write(tmp_path / "photo.jpg").rename((tmp_path / name).parent.mkdir(exist_ok=True) or tmp_path / name)
    (tmp_path / "in/more").symlink_to(tmp_path / "disk")
    (tmp_path / "in/loop.jpg").symlink_to("loop.jpg")
    (tmp_path / "in/same.jpg").symlink_to("a.jpg")
    for name in ("._a.jpg", "d.heic", "e.txt"):
        (tmp_path / "in" / name).touch()
    assert [each.name for each in find_inputs([tmp_path / "in"])] == ["a", "loop", "more/b", "more/c"]
    assert "left out what is no image or video by its suffix: 1 .heic, 1 .txt" in caplog.text


def test_a_folder_of_other_files_says_which(tmp_path: Path) -> None:
    (tmp_path / "a.heic").touch()
    with pytest.raises(UserError, match="no images or videos in this folder .*; there is 1 .heic"):
        find_inputs([tmp_path])


@pytest.mark.parametrize("wrong", ["empty", "*.png", ""])
def test_an_argument_without_files_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    write(tmp_path / "a.jpg")  # which an empty name, the folder itself, would stand for
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="no images|no file matches|an empty name"):
        find_inputs([wrong])


@pytest.mark.parametrize("name", ["a_labels.png", "legend.png", "submission/a.png"])
def test_an_input_that_a_result_would_replace_is_refused(tmp_path: Path, name: str) -> None:
    inputs = find_inputs([write(tmp_path / "a.jpg"), write(tmp_path / name)])
    with pytest.raises(UserError, match="would be overwritten by a result of the same name"):
        check_nothing_is_lost(inputs, tmp_path, submission=True)
    check_nothing_is_lost(inputs, tmp_path / "out", submission=True)
