import gzip
import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchseg.data.records import Lines, read_lines
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


@pytest.mark.parametrize("zipped", [False, True])
def test_marks_and_blank_lines_are_left_out(tmp_path, zipped):
    content = "\ufeff \t\r\na b\r\n\n  \n c\n \n".encode()
    path = tmp_path / ("list.txt.gz" if zipped else "list.txt")
    path.write_bytes(gzip.compress(content) if zipped else content)
    seen = []
    found = read_lines(path, seen.extend)
    assert seen == ["a b", " c"]
    assert [found[i] for i in range(len(found))] == seen


def test_damaged_lists_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("switchseg.data.records._LONGEST_LINE", 1 << 19)
    whole = gzip.compress(b"{}\n" * 1000)
    broken = bytearray(whole)
    broken[15] ^= 255
    cases = {
        "cut.gz": (whole[:20], "cannot be read"),
        "broken.gz": (bytes(broken), "cannot be read"),
        "zeros.txt": (b"a\0b\n", "zero byte"),
        "long.txt": (b"x" * (1 << 20), "a line of more than"),
        "utf16.txt": ("a b\n".encode("utf-16"), "UTF-8"),
    }
    for name, (content, complaint) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=rf"{name}: [^\n]*{complaint}[^\n]*$"):
            read_lines(tmp_path / name, lambda _: None)
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(UserError, match="no regular file"):
        read_lines(tmp_path / "pipe.txt", lambda _: None)
