"""Loading what `setup.py` compiles: C functions, without Python's or torch's headers."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any


def load_functions(
    path: Path,
    interface: int,
    arguments: Mapping[str, Sequence[Any]],
    sizes: Mapping[str, int] = MappingProxyType({}),
    loader: type[ctypes.CDLL] = ctypes.CDLL,
) -> dict[str, Any] | None:
    """Return a library's functions by name, or None if it was not built, or not for this machine or these sources.

    torch is loaded by now, and with it the OpenMP runtime: a library finds the same one, and shares its threads.

    Args:
        path: The library without its suffix.
        interface: What its `switchseg_interface()` returns, unless it is older or newer than the caller.
        arguments: For every function's name, without `switchseg_`, the types of its arguments. All return an int.
        sizes: For every struct's name, the bytes that the caller gives it, which `switchseg_sizeof_NAME()` must return.
        loader: `ctypes.PyDLL` where the functions use Python objects, which nobody else may while they run.
    """
    file = path.with_suffix(".so")
    if not file.exists():
        return None
    try:
        library = loader(str(file))
        found = library.switchseg_interface()
        functions = {name: getattr(library, f"switchseg_{name}") for name in arguments}
        found_sizes = {name: getattr(library, f"switchseg_sizeof_{name}")() for name in sizes}
    except (OSError, AttributeError):  # built for another machine
        return None
    # Before any call that takes a struct: one of another layout would be read as pointers to anywhere.
    if found != interface or found_sizes != dict(sizes):  # built from other sources
        return None
    for name, function in functions.items():
        function.argtypes, function.restype = arguments[name], ctypes.c_int
    return functions
