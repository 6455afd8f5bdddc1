import re

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
