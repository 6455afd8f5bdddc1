"""Libraries that were built, were not, or were built from other sources."""

import ctypes
import shutil
import subprocess

import pytest

from switchseg.norms.library import load_functions

SOURCE = """
int switchseg_interface(void) { return 3; }
int switchseg_sizeof_pair(void) { return 16; }
int switchseg_twice(int number) { return 2 * number; }
"""
TWICE = {"twice": [ctypes.c_int]}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A small library, as a path without its suffix."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    path = tmp_path_factory.mktemp("library") / "_small"
    path.with_suffix(".c").write_text(SOURCE)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", path.with_suffix(".so"), path.with_suffix(".c")], check=True)
    return path


def test_functions_are_found_by_their_names(library):
    functions = load_functions(library, 3, TWICE, {"pair": 16})
    assert functions["twice"](21) == 42


@pytest.mark.parametrize(
    ("interface", "arguments", "sizes"),
    [(4, TWICE, {}), (3, {"thrice": []}, {}), (3, TWICE, {"pair": 24}), (3, TWICE, {"triple": 24})],
)
def test_what_was_built_from_other_sources_is_not_used(library, interface, arguments, sizes):
    assert load_functions(library, interface, arguments, sizes) is None


def test_a_library_that_is_not_there_or_none_is_no_error(tmp_path):
    assert load_functions(tmp_path / "_none", 1, {}) is None
    (tmp_path / "_text.so").write_text("no library")
    assert load_functions(tmp_path / "_text", 1, {}) is None
