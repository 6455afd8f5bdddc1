"""Every line of a shell block is read by the program that it calls: flags, values, names and config."""

import re
import shlex
import shutil

import pytest

from switchseg.cli import arguments, main
from tests.docs.pages import PAGES, REPOSITORY, commands

CALL = re.compile(r"(?:^|bin/|-m )switchseg (?=[a-z-])(.*)")
# Not ours, or not of what they are given: the shell, package managers, launchers and hosts of the layer.
OTHERS = {".venv/bin/pip", "done", "export", "for", "head=$(scontrol", "make", "nnUNetv2_train", "pip", "python"}
OTHERS |= {"python3", "wget"}
LINES = dict.fromkeys(line for page in PAGES for line in commands(page))


class UnderstoodError(Exception):
    """The command was read; what it would do is left out."""


@pytest.fixture
def reading(monkeypatch, tmp_path):
    """A folder with the configs that commands name, in which commands end once they are read."""
    check_names = arguments.check_names

    def checked(prefix, parsed):
        check_names(prefix, parsed)
        raise UnderstoodError

    monkeypatch.setattr(arguments, "check_names", checked)
    monkeypatch.chdir(tmp_path)
    for name in ("configs", "docs"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    for name in ("CONFIG.yaml", "config.yaml", "runs/mydata/config.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / "configs" / "quickstart.yaml", tmp_path / name)
    (tmp_path / "my_plugin.py").touch()


@pytest.mark.parametrize("line", [line for line in LINES if CALL.search(line)])
def test_the_program_understands_a_line(line, reading):
    words = shlex.split(CALL.search(line)[1].replace("$norm", "sn"), comments=True)
    try:
        code = main(words)
    except UnderstoodError:
        return
    except SystemExit as stop:
        code = stop.code
    assert code == 0
    assert words[-1] in ("--help", "--version")


@pytest.mark.parametrize("line", [line for line in LINES if not CALL.search(line)])
def test_other_lines_name_what_is_there(line):
    program, *words = shlex.split(line, comments=True)
    assert program in OTHERS
    targets = re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), flags=re.MULTILINE)
    if program == "make":
        assert words[0] in targets
    elif program.startswith("python") and words[0] == "-m":
        place = REPOSITORY / words[1].replace(".", "/")
        assert words[1] in ("venv", "http.server") or place.with_suffix(".py").is_file() or place.is_dir()
    elif program.startswith("python") and words[0].endswith(".py"):
        assert (REPOSITORY / words[0]).is_file()
