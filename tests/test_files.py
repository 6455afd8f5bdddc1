"""Files are written whole or not at all."""

import errno
import os

import pytest

from switchseg import files
from switchseg.errors import UserError


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


def test_permissions_follow_the_umask_which_stays_as_it_is(tmp_path, monkeypatch):
    before = os.umask(0o027)
    try:
        # It is the whole process's: files of other threads would get the wrong permissions meanwhile.
        with monkeypatch.context() as patch:
            patch.delattr(os, "umask")
            files.write_text(tmp_path / "x", "")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o640


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_an_error_names_the_file_that_was_to_be_written(tmp_path):
    def fill() -> None:
        with files.replacing(tmp_path / "x.txt"):
            raise full_disk()

    with pytest.raises(OSError, match="No space") as caught:
        fill()
    assert caught.value.filename == str(tmp_path / "x.txt")
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file") as caught:
        files.write_text(tmp_path / "file" / "x.txt", "")
    assert caught.value.filename.startswith(str(tmp_path / "file"))
    assert os.listdir(tmp_path) == ["file"]


def test_names_of_any_length_that_the_disk_takes_are_written(tmp_path):
    files.write_text(tmp_path / ("n" * 255), "text")
    with pytest.raises(OSError, match="File name too long") as caught:
        files.write_text(tmp_path / ("n" * 256), "text")
    assert caught.value.filename == str(tmp_path / ("n" * 256))
    assert len(os.listdir(tmp_path)) == 1


def test_places_that_can_be_written_are_left_as_they_are(tmp_path):
    (tmp_path / "old.txt").write_text("old")
    files.check_places([tmp_path / "old.txt", tmp_path / "a" / "b" / "new.txt", None], [tmp_path, tmp_path / "c", None])
    assert os.listdir(tmp_path) == ["old.txt"]


def test_what_is_no_file_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(os.devnull)  # never the device itself: a test may run as root
    for name in ("pipe", "link"):
        for write in (files.check_places, lambda paths: files.write_text(paths[0], "text")):
            with pytest.raises(UserError, match=f"{name}: is a device or a pipe; the name of a file"):
                write([tmp_path / name])
    assert (tmp_path / "pipe").is_fifo()
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    files.write_text(tmp_path / "dangling", "text")
    assert sorted(os.listdir(tmp_path)) == ["dangling", "link", "pipe"]


@pytest.mark.parametrize(
    ("wanted", "folders", "message"),
    [
        (["folder"], [], "folder: is a folder; the name of a file"),
        (["file/x"], [], "file/x: cannot be written, for .*file is no folder"),
        ([], ["file"], "file: cannot be written, for .*file is no folder"),
        ([], ["file/deep/er"], "is no folder"),
        (["a", "folder/../a"], [], "two results cannot be written to one file"),
        (["dangling/x"], [], "is no folder"),
    ],
)
def test_places_that_cannot_be_written_are_named(tmp_path, wanted, folders, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match=message):
        files.check_places([tmp_path / name for name in wanted], [tmp_path / name for name in folders])


@pytest.mark.parametrize("name", ["a.json", "a.JSON", "a.txt", "a", "a.v2", "a.json.new", "tmp.Xy12", ".json"])
def test_a_name_that_does_not_say_otherwise_is_taken(tmp_path, name):
    files.check_suffix(tmp_path / name, ".json", ".txt")
    files.check_suffix(None, ".json")


@pytest.mark.parametrize("name", ["a.csv", "a.PNG", "a.json.gz"])
def test_a_name_of_another_kind_of_file_is_refused(tmp_path, name):
    with pytest.raises(UserError, match=f"{name}: the name of a file .* that ends in .json or .txt"):
        files.check_suffix(tmp_path / name, ".json", ".txt")


def test_a_suffix_that_chooses_must_be_known(tmp_path):
    files.check_suffix(tmp_path / "a.svg", ".svg", ".png", choosing=True)
    for name in ("a", "a.v2"):
        with pytest.raises(UserError, match=r"that ends in .svg or .png"):
            files.check_suffix(tmp_path / name, ".svg", ".png", choosing=True)


def test_a_digest_is_of_the_content(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"a")
    two.write_bytes(b"a")
    assert files.digest(one) == files.digest(two)
    two.write_bytes(b"b")
    assert files.digest(one) != files.digest(two)
    assert files.digest(tmp_path) is None
