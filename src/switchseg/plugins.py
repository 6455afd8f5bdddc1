"""Plugins: modules and files that are imported before any setting is read, and register what they add.

Importing runs code, so only what the user names is imported: in the config of a training, after `--import`, or by
installing a package with an entry point. What a run or model directory says of plugins is a name in an error message.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import pickle
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Generic, TypeVar

from switchseg.errors import UserError

T = TypeVar("T")

GROUP = "switchseg.plugins"
"""The entry points whose modules are plugins."""

_imported: list[str] = []


def imported() -> tuple[str, ...]:
    """Return the plugins of this process, files by their full paths."""
    return tuple(_imported)


def import_plugins(names: Iterable[str], folder: str | os.PathLike[str] = ".") -> tuple[str, ...]:
    """Import modules by their names and files, which end in `.py`, by their paths relative to `folder`.

    Returns:
        The names, files by their full paths.

    Raises:
        UserError: one cannot be imported; the line says why.
    """
    # Full paths, since workers and other ranks may have another current folder.
    full = tuple(
        os.path.abspath(Path(folder, Path(name).expanduser())) if name.endswith(".py") else name for name in names
    )
    for name in full:
        if name not in _imported:
            _import(name)
            # After the import, so that a plugin that failed is not told to other processes.
            _imported.append(name)
    return full


@functools.cache
def import_installed() -> None:
    """Import the plugins of installed packages."""
    from importlib.metadata import entry_points  # slow, and `switchseg --help` does without

    # Sorted, so that all ranks import in one order; that of `entry_points` is the order of the search path.
    import_plugins(sorted(entry.module for entry in entry_points(group=GROUP)))


def hint(names: Iterable[str]) -> str:
    """Return what to add to an error that the absence of one of these plugins may have caused, or nothing."""
    missing = [name for name in names if name not in _imported]
    if not missing:
        return ""
    flags = " ".join(f"--import {name}" for name in missing)
    return f"; it was made with plugins, which are not imported by themselves: add {flags}"


class WithPlugins(Generic[T]):
    """Something to be pickled for another process, which imports the plugins of this one before it reads it."""

    def __init__(self, value: T) -> None:
        self.value = value

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickled twice: reading the outer pickle imports the plugins, without which the inner one finds no classes.
        return _restore, (imported(), pickle.dumps(self.value))


def _restore(names: tuple[str, ...], content: bytes) -> WithPlugins[Any]:
    import_plugins(names)
    return WithPlugins(pickle.loads(content))  # noqa: S301 - of our own parent process


def _import(name: str) -> None:
    try:
        if name.endswith(".py"):
            _import_file(Path(name))
        else:
            importlib.import_module(name)
    except UserError as error:
        raise UserError(f"plugin {name}: {error}") from error
    # Not BaseException: a plugin that is interrupted by Ctrl-C has not failed.
    except Exception as error:  # whatever its code raises
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"plugin {name}: cannot be imported ({type(error).__name__}: {reason})") from error


def _import_file(path: Path) -> None:
    if not path.is_file():
        raise UserError("there is no such file")
    # Its full name is its own, so that it hides no other module, and is the same in every process.
    module_name = f"switchseg_plugin_{path.stem}_{zlib.crc32(os.fsencode(path)):x}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Before its code runs, as `import` does: dataclasses and pickle look their module up there.
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[module_name]
        raise
