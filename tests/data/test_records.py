import gzip
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchseg.data.records import Lines, common_folder, inside, read_lines
from switchseg.errors import UserError

TEXT = st.text(st.characters(blacklist_characters="\n\r", blacklist_categories=("Cs",)), min_size=1)


@given(st.lists(TEXT, min_size=1))
def test_packed_lines_come_back(lines):
    packed = Lines.pack(lines)
    assert [packed[i] for i in range(len(packed))] == lines


def test_file_names_that_are_no_utf8_come_back():
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    assert Lines.pack([name])[0] == name


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_list_is_looked_up_by_number(tmp_path, ending, zipped):
    lines = [f"zeile {number} ü" for number in range(1000)]
    content = (ending.join(lines[:500]) + ending * 3 + ending.join(lines[500:])).encode()
    path = tmp_path / ("list.txt.gz" if zipped else "list.txt")
    path.write_bytes(gzip.compress(content) if zipped else content)
    seen = []
    found = read_lines(path, seen.extend)
    assert seen == lines
    assert [found[i] for i in (0, 499, 500, 999)] == [lines[i] for i in (0, 499, 500, 999)]
    assert pickle.loads(pickle.dumps(found))[777] == lines[777]


def test_blocks_do_not_cut_lines(tmp_path, monkeypatch):
    monkeypatch.setattr("switchseg.data.records._BLOCK", 7)
    lines = ["a", "bb" * 9, "c", "dddd"]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    found = read_lines(tmp_path / "list.txt", lambda _: None)
    assert [found[i] for i in range(len(found))] == lines


def test_lists_that_cannot_be_read_are_named(tmp_path):
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "latin.txt").write_bytes(b"stra\xdfe.png\n")
    (tmp_path / "no.gz").write_text("plain")
    cases = {
        "empty.txt": "empty list",
        "latin.txt": "UTF-8",
        "missing.txt": "cannot be read",
        "no.gz": "cannot be read",
    }
    for name, complaint in cases.items():
        with pytest.raises(UserError, match=rf"{name}: .*{complaint}"):
            read_lines(tmp_path / name, lambda _: None)


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
