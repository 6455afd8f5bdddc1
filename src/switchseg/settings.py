"""Dataclasses from plain values: unknown keys and wrong kinds are refused with a line that says the mend."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from typing import Any, TypeVar

from switchseg.errors import UserError

T = TypeVar("T")


def from_mapping(kind: type[T], content: Any, source: str, prefix: str = "") -> T:
    """Build the dataclass `kind` from plain values; `source` and `prefix` name file and key in an error.

    A dataclass may have a static method `upgraded`, which turns the keys of earlier versions into those of today.

    Raises:
        UserError: a key is unknown or a value does not fit.
    """
    if not isinstance(content, dict):
        where = f"{source}: {prefix.rstrip('.')}" if prefix else source
        raise UserError(f"{where}: expected keys and values, found {shown(content)}")
    content = getattr(kind, "upgraded", dict)(content)
    # Resolved, for under `from __future__ import annotations` the types of fields are strings.
    hints = typing.get_type_hints(kind)
    for key in content:
        if key not in hints:
            near = difflib.get_close_matches(str(key), hints, n=1, cutoff=0.5)
            advice = f"did you mean {prefix}{near[0]}?" if near else f"known are {', '.join(hints)}"
            raise UserError(f"{source}: unknown key {prefix}{key}; {advice}")
    values = {key: _convert(hints[key], value, source, f"{prefix}{key}") for key, value in content.items()}
    try:
        return kind(**values)
    except (UserError, ValueError) as error:
        # `from None`: the line says all that the user can mend, a chain of errors would bury it.
        raise UserError(f"{source}: {error}") from None


def _convert(hint: Any, value: Any, source: str, key: str) -> Any:
    if dataclasses.is_dataclass(hint):
        # In YAML a section whose lines are all commented out reads as null: it keeps its defaults.
        return from_mapping(typing.cast(type, hint), {} if value is None else value, source, f"{key}.")
    try:
        return _fit(hint, value)
    except (OverflowError, TypeError, ValueError):  # a whole number may be too large for a float
        raise UserError(f"{source}: {key} must be {_described(hint)}, found {shown(value)}") from None


def _fit(hint: Any, value: Any) -> Any:
    """Return `value` as the type `hint`; TypeError or ValueError where it is of another kind."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        return _fit_union(arguments, value)
    if origin is typing.Literal:
        return _require(value in arguments, value)
    if origin is tuple:
        _require(isinstance(value, list) and (arguments[-1] is Ellipsis or len(value) == len(arguments)), value)
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(_fit(kind, item) for kind, item in zip(kinds, value, strict=True))
    if origin is list:
        _require(isinstance(value, list), value)
        return [_fit(arguments[0], item) for item in value]
    if origin is dict:
        _require(isinstance(value, dict), value)
        return {_fit(arguments[0], key): _fit(arguments[1], item) for key, item in value.items()}
    # bool is an int to Python, but `lr: true` is a mistake.
    if hint is float and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        return float(value)  # YAML 1.1 reads 1e-4 as a string
    # Not `isinstance`, by which `true` would be taken for the number 1.
    return _require(type(value) is hint, value)


def _fit_union(alternatives: tuple[Any, ...], value: Any) -> Any:
    if value is None and type(None) in alternatives:
        return None
    # In the order of the hint: `int | float` keeps whole numbers whole, `float | str` reads "1e-4" as a number.
    for alternative in alternatives:
        try:
            return _fit(alternative, value)
        except (OverflowError, TypeError, ValueError):
            continue
    raise TypeError(value)


def _require(condition: bool, value: Any) -> Any:
    if not condition:
        raise TypeError(value)
    return value


def _described(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_described(argument) for argument in arguments)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (tuple, list):
        return f"a list of {_described(arguments[0])}s"
    if origin is dict:
        return "a mapping"
    if hint is type(None):
        return "null"
    names = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    return names.get(hint, str(hint))


def shown(value: Any) -> str:
    """Return `value` as a message quotes it, cut off where it is long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
