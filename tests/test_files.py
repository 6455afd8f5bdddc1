"""Files are written whole or not at all."""

import os

import pytest

from switchseg import files


def test_content_and_folders_are_made(tmp_path):
    files.write_json(tmp_path / "a" / "b.json", {"ä": [1]})
    assert (tmp_path / "a" / "b.json").read_text() == '{\n  "ä": [\n    1\n  ]\n}\n'


def test_a_failure_leaves_the_old_content_and_no_leftover(tmp_path):
    path = tmp_path / "x.txt"
    files.write_text(path, "old")

    def write_half() -> None:
        with files.replacing(path) as file:
            file.write(b"ne")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.txt"]


def test_permissions_follow_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        files.write_text(tmp_path / "x", "")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640
