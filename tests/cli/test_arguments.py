"""Flags from dataclasses: values, names of registries, and mistakes in one line."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from switchseg.cli.arguments import parse
from switchseg.data import PIPELINES
from switchseg.errors import UserError
from switchseg.registry import named


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Do something."""

    root: Path
    """Where."""
    count: int = 3
    pipeline: str = named(PIPELINES, "crop")


def test_flags_become_values_of_their_kind():
    flags = parse(Flags, "verb", ["--root", "a/b", "--count", "5"])
    assert flags == Flags(root=Path("a/b"), count=5, pipeline="crop")


def test_what_is_left_out_comes_from_the_default():
    assert parse(Flags, "verb", ["--count", "5"], default=Flags(root=Path("x"))) == Flags(root=Path("x"), count=5)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--root", "a", "--cuont", "5"], "--cuont"),
        (["--root", "a", "--count", "five"], "five"),
        ([], "--root"),
        (["--root", "a", "--pipeline", "corp"], "--pipeline: there is no pipeline 'corp'; did you mean 'crop'?"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(arguments, told):
    with pytest.raises(UserError) as caught:
        parse(Flags, "verb", arguments)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not set("│╭╰─") & set(str(caught.value))


def test_help_ends_with_the_names_of_registries(capsys):
    with pytest.raises(SystemExit) as stop:
        parse(Flags, "verb", ["--help"])
    assert not stop.value.code
    assert f"--pipeline: {', '.join(PIPELINES)}" in capsys.readouterr().out
