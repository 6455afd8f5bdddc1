from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from switchseg.cli import main
from switchseg.cli.arguments import parse
from switchseg.errors import UserError


@dataclass(frozen=True)
class Flags:
    size: tuple[int, int] | None = (3, 4)
    sides: tuple[int, ...] | None = None
    start: Literal["uniform"] | float | None = None
    names: tuple[str, ...] = ("a",)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", Flags()),
        ("--size None --sides None --start None", Flags(size=None)),
        ("--size 1 2 --sides 7 8 9", Flags(size=(1, 2), sides=(7, 8, 9))),
        ("--start uniform", Flags(start="uniform")),
        ("--start 0.5 --names", Flags(start=0.5, names=())),
        ("--names b c", Flags(names=("b", "c"))),
    ],
)
def test_values_are_taken(words, expected):
    assert parse(Flags, "verb", words.split()) == expected


@pytest.mark.parametrize("words", ["--size 1", "--size 1 2 3", "--sides x", "--start even"])
def test_other_values_are_refused(words):
    with pytest.raises(UserError, match=words.split()[0]):
        parse(Flags, "verb", words.split())


@pytest.mark.parametrize(
    "words", [["--out", ""], ["--out="], ["--out", "a", "--list", ""], ["--out", "a", "--more", ""]]
)
def test_an_empty_text_is_no_path(words):
    @dataclass(frozen=True)
    class Places:
        out: Path
        list: Path | None = None
        more: tuple[Path, ...] = ()

    assert parse(Places, "verb", ["--out", "a", "--more", "b", "c"]).more == (Path("b"), Path("c"))
    with pytest.raises(UserError, match="--(out|list|more): an empty text; a path was expected"):
        parse(Places, "verb", words)


def test_help_names_values_as_users_do(capsys):
    with pytest.raises(SystemExit):
        parse(Flags, "verb", ["--help"])
    printed = capsys.readouterr().out
    for usage in ("--size INT INT", "--sides INT ...", "--start {uniform}|FLOAT", "--names STR ..."):
        assert f"{usage} " in printed


def test_help_of_a_config_shows_its_values(tmp_path, capsys):
    config = tmp_path / "small.yaml"
    config.write_text("model: {encoder: resnet18}\ntrain: {steps: 7}\n")
    with pytest.raises(SystemExit):
        main(["train", str(config), "--train.accumulate", "3", "--help"])
    printed = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "(default: resnet18)" in printed
    assert "are not given either. (default: 7)" in printed
