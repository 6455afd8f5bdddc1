import os

import pytest

from switchseg.errors import UserError
from switchseg.text import parse_yaml, read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_text_is_decoded_as_its_editor_meant_it(tmp_path, encoding):
    path = tmp_path / "classes.txt"
    path.write_bytes("Straße\n".encode(encoding))
    assert read_text(path) == "Straße\n"


def test_what_is_no_text_is_named(tmp_path):
    (tmp_path / "latin.txt").write_bytes("Straße\n".encode("latin-1"))
    (tmp_path / "long.txt").write_bytes(b"x" * (1 << 20 | 1))
    os.mkfifo(tmp_path / "pipe.txt")
    for name in ("latin.txt", "long.txt", "pipe.txt", "missing.txt"):
        with pytest.raises(UserError, match=rf"{name}: [^\n]+$"):
            read_text(tmp_path / name)


def test_a_list_that_would_grow_a_hundred_million_times_is_refused_at_once(tmp_path):
    lines = [f"  - &{chr(98 + depth)} [{','.join(['*' + chr(97 + depth)] * 10)}]" for depth in range(8)]
    with pytest.raises(UserError, match=r"d\.yaml: cannot be read as YAML \(anchors and aliases are not taken"):
        parse_yaml("\n".join(["classes:", "  - &a [x,x,x,x,x,x,x,x,x,x]", *lines]), tmp_path / "d.yaml")
