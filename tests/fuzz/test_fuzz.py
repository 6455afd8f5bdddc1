"""A short run of the fuzzer, and proof that it would notice."""

import os
import random
from pathlib import Path

import pytest

from tests.fuzz import fuzz
from tests.fuzz.mutate import mutate
from tests.fuzz.readers import READERS, Reader


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused_in_one_line(name: str, tmp_path: Path) -> None:
    found = fuzz.in_process(name, tmp_path / "example", seed=3, inputs=25)
    assert found.failures == []
    assert found.read + found.refused == 25
    assert found.refused > 0 or name == "journals"  # of which what is whole is used


@pytest.mark.slow
@pytest.mark.skipif("SWITCHSEG_EVERY" not in os.environ, reason="by hand: it limits time and memory")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", READERS)
def test_many_damaged_files_in_watched_processes(name: str, tmp_path: Path) -> None:
    found = fuzz.watched(name, 2, 300, tmp_path)
    assert found.failures == []
    assert found.memory < fuzz.MOST_BYTES


def test_the_same_numbers_give_the_same_damage() -> None:
    content = bytes(range(256)) * 8
    damaged = [mutate(content, random.Random(seed)) for seed in range(200)]
    assert damaged == [mutate(content, random.Random(seed)) for seed in range(200)]
    assert sum(each != content for each in damaged) > 190
    assert {type(mutate(b"", random.Random(seed))) for seed in range(50)} == {bytes}


def _make(folder: Path) -> list[Path]:
    (folder / "file").write_bytes(b"content")
    return [folder / "file"]


def _stray(folder: Path) -> None:
    (folder.parent / "outside" / "stray").write_bytes(b"")


def _break(folder: Path) -> None:
    assert (folder / "file").read_bytes() == b"content"


@pytest.mark.parametrize(("read", "says"), [(_break, "AssertionError"), (_stray, "a file outside: stray")])
def test_what_is_not_answered_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: object, says: str
) -> None:
    monkeypatch.setitem(READERS, "broken", Reader(_make, read))
    found = fuzz.in_process("broken", tmp_path / "example", seed=0, inputs=5)
    assert any(says in failure for failure in found.failures)
