"""What `import switchseg` shows: to dir and help, to type checkers, and without loading torch early."""

import ast
import inspect
import pydoc
import subprocess
import sys
from pathlib import Path

import pytest

import switchseg

NAMES = ["Predictor", "create_model", "evaluate", "load_model", "train"]


def test_names_are_shown_before_anything_is_loaded():
    code = "import sys, switchseg; print(*dir(switchseg)); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {*NAMES, "__version__"} <= set(done.stdout.split())


def test_help_describes_them():
    printed = pydoc.render_doc(switchseg, renderer=pydoc.plaintext)
    assert all(f"{name}(" in printed for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_what_its_home_defines(name):
    value = getattr(switchseg, name)
    assert value.__name__ == name
    assert inspect.getdoc(value)


def test_type_checkers_see_the_names_that_are_there():
    tree = ast.parse(Path(switchseg.__file__).read_text())
    (checking,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {alias.name: node.module for node in checking.body for alias in node.names}
    assert imported == {name: getattr(switchseg, name).__module__ for name in NAMES}
    assert sorted([*imported, "__version__"]) == switchseg.__all__


def test_other_names_are_no_attributes():
    with pytest.raises(AttributeError, match="no attribute 'Trainer'"):
        _ = switchseg.Trainer
