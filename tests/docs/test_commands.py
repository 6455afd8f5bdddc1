"""Commands as the pages call them exist, with the flags that they are given; docs/commands.md is what help says."""

import contextlib
import functools
import io
import re
import shlex

import pytest

from docs.made import commands
from switchseg.cli import COMMANDS, main
from switchseg.cli.examples import EXAMPLES
from tests.docs.pages import PAGES

CALL = re.compile(r"(?:^|`|-m |bin/)(switchseg (?!bench|COMMAND)[a-z-]+ (?:[^`\n]*\\\n)*[^`\n]*)", re.MULTILINE)


@functools.cache
def help_of(verb):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        main([verb, "--help"])
    return printed.getvalue()


@pytest.mark.parametrize("verb", COMMANDS)
def test_help_of_a_command_has_an_example_and_plain_values(verb):
    assert all(line in help_of(verb) for line in EXAMPLES[verb])
    assert not re.search(r"\{None|\[[A-Z]+ \[|\[\.\.\.\]", help_of(verb))
    assert not re.search(r"\(default: [^)]*\)\.\s", help_of(verb))  # the program adds defaults by itself


@pytest.mark.parametrize("verb", ["train", "compare", "probe", "find-rate"])
def test_usage_names_the_config(verb):
    assert help_of(verb).startswith(f"usage: switchseg {verb} CONFIG.yaml")


def test_commands_page_is_what_help_says():
    assert commands.PAGE.read_text() == commands.page()


def calls(text):
    """Return the verbs that a text calls, each with the flags that it gives them."""
    for call in CALL.findall(text):
        _, verb, *words = shlex.split(call.replace("\\\n", " "), comments=True)
        yield verb, [word.split("=")[0] for word in words if re.match(r"--[a-z]", word)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_flags_on_a_page_exist(page):
    for verb, flags in calls(page.read_text()):
        known = {*re.findall(r"--[\w.-]+", help_of(verb)), "--help", "--import"}
        assert set(flags) <= known, (verb, set(flags) - known)


def test_calls_are_found():
    text = "```\nswitchseg train a.yaml --out x \\\n    --resume never  # comes '\n```\nor `switchseg models --side 4`."
    assert list(calls(text)) == [("train", ["--out", "--resume"]), ("models", ["--side"])]
