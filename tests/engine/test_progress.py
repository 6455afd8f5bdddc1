import itertools
import re
from types import SimpleNamespace

import pytest

from switchseg.engine import progress as module
from switchseg.engine.progress import progress, working


def test_elsewhere_than_on_a_terminal_lines_are_plain_and_few(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("evaluate", 50) as count:
        for _ in range(50):
            count(1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("evaluate: 50/50 images, ")
    assert captured.err.count("\n") == 1


def test_long_work_says_something_in_between(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.0)
    with progress("predict", 3, "files") as count:
        count(1)
        count(2)
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "predict: 1/3 files",
        "predict: 3/3 files",
    ]


def test_it_can_be_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("evaluate", 1, shown=False) as count:
        count(1)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("terminal", [False, True])
def test_what_was_finished_before_is_no_speed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
    clock = itertools.count(100, 2)  # each look at it is 2 s after the last one
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with progress("predict", 1003, "files", before=1000) as count:
        count(3)
    shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", capsys.readouterr().err)
    assert "1003/1003" in shown
    (speed,) = {float(speed) for speed in re.findall(r"([\d.]+) files/s", shown)}
    assert 0 < speed <= 1.5
    with progress("predict", 1003, "files", before=1003) as count:
        count(0)
    line = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", capsys.readouterr().err)
    assert line == "predict: nothing had to be done, all 1003 files were finished before\n"


def test_a_terminal_gets_a_bar(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress("evaluate", 2) as count:
        count(2)
    assert "2/2" in capsys.readouterr().err


def test_work_that_cannot_be_counted_says_what_it_is_and_how_long_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    with working("export"):
        pass
    captured = capsys.readouterr()
    assert captured.out == ""
    first, second = captured.err.splitlines()
    assert first == "export ..."
    assert re.fullmatch(r"export: \d+\.\d s", second)
