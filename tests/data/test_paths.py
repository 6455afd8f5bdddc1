import os

import pytest

from switchseg.data.paths import common_folder, describe_suffixes, files_below, inside
from switchseg.errors import UserError


def test_links_are_followed_once_and_hidden_files_left_out(tmp_path):
    folder = tmp_path / "photos"
    for path in ("b.jpg", "a/c.jpg", "._b.jpg", ".ipynb_checkpoints/b.jpg"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/d.jpg").touch()
    (folder / "more").symlink_to(tmp_path / "disk")
    (folder / "more2").symlink_to(tmp_path / "disk")
    (folder / "up").symlink_to(tmp_path)
    (folder / "loop.jpg").symlink_to("loop.jpg")
    found = list(files_below(folder))
    assert found[:4] == ["b.jpg", "loop.jpg", "a/c.jpg", "more/d.jpg"]
    assert [path for path in found if path.endswith("d.jpg")] == ["more/d.jpg"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    (tmp_path / "a").mkdir(mode=0)
    with pytest.raises(UserError, match="a: the folder cannot be listed"):
        list(files_below(tmp_path))


def test_suffixes_are_counted():
    assert describe_suffixes(["a.HEIC", "b.heic", "c", "x/d.txt"]) == "2 .heic, 1 without a suffix, 1 .txt"


@pytest.mark.parametrize("path", ["../a.png", "x/../../a.png", "/etc/passwd"])
def test_paths_that_leave_the_root_are_refused(tmp_path, path):
    with pytest.raises(UserError, match=r"my\.odgt: .* leads out of"):
        inside(tmp_path, path, "my.odgt")


def test_paths_inside_are_joined(tmp_path):
    assert inside(tmp_path, "a/../b..c.png", "l") == str(tmp_path / "b..c.png")
    assert inside(tmp_path, str(tmp_path / "a.png"), "l") == str(tmp_path / "a.png")


def test_common_folder():
    assert common_folder(["a/b/x.png", "a/b/y.png"]) == "a/b/"
    assert common_folder(["a/b/x.png", "a/bc/y.png"]) == "a/"
    assert common_folder(["x.png"]) == ""
    assert common_folder(["a/x.png"]) == "a/"
