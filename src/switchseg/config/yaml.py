"""Configs as YAML files: unknown keys, wrong kinds and impossible values are refused with a line that says the mend."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml

from switchseg import files
from switchseg.data.text import parse_yaml, read_text
from switchseg.errors import UserError

T = TypeVar("T")

_MOST_CHARACTERS = 1 << 15


def load(path: str | Path, kind: type[T]) -> T:
    """Read the YAML file at `path` into the dataclass `kind`; keys left out keep their defaults.

    A key `base` names another config, relative to the file that it is in, whose values hold where the file itself says
    nothing. Sections are merged; all other values, lists and tables among them, are replaced.

    Raises:
        UserError: a file is missing or no YAML, a key or value does not fit, or a base leads back to itself; the line
            names file and key.
    """
    path = Path(path)
    return from_mapping(kind, _with_base(path, kind), str(path))


def _with_base(path: Path, kind: type[Any], above: tuple[Path, ...] = ()) -> Any:
    """Return what the file at `path` and the bases under it say; `above` are the files that build on it."""
    own = _read(path)
    if not isinstance(own, dict) or "base" not in own:
        return own
    base = own.pop("base")
    if not isinstance(base, str) or not base:
        raise UserError(f"{path}: base must be the path of another config, found {_shown(base)}")
    place, above = path.parent / base, (*above, path.resolve())
    if place.resolve() in above:
        raise UserError(f"{path}: base {base} builds on this config itself")
    if not place.is_file():
        raise UserError(f"{path}: base {base} is no file; the path of a config, relative to this one, was expected")
    under = _with_base(place, kind, above)
    from_mapping(kind, under, str(place))  # what is wrong there is said of that file
    return _merged(kind, under, own)


def _merged(kind: type[Any], under: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return `own` on top of `under`; a setting that takes another one's place removes that from below."""
    given = [field.metadata.get("instead_of") for field in dataclasses.fields(kind) if own.get(field.name) is not None]
    merged = {key: value for key, value in under.items() if key not in given}
    hints = typing.get_type_hints(kind)
    for key, value in own.items():
        below, is_section = under.get(key), dataclasses.is_dataclass(hints.get(key))
        if is_section and isinstance(below, dict) and isinstance(value, (dict, types.NoneType)):
            merged[key] = _merged(typing.cast(type, hints[key]), below, value or {})
        else:
            merged[key] = value
    return merged


def _read(path: Path) -> Any:
    if not path.exists():
        raise UserError(f"{path}: no such config file")
    text = read_text(path)
    if len(text) > _MOST_CHARACTERS:
        raise UserError(f"{path}: more than {_MOST_CHARACTERS} characters; a config with all its settings has a tenth")
    content = parse_yaml(text, path)
    return {} if content is None else content


def save(path: str | Path, config: Any) -> None:
    """Write the dataclass `config` with all its values to `path`, whole or not at all."""
    files.write_text(path, yaml.safe_dump(to_mapping(config), sort_keys=False, allow_unicode=True))


def to_mapping(config: Any) -> dict[str, Any]:
    """Return the dataclass `config` as plain dicts, lists, strings and numbers."""
    mapping = _plain(dataclasses.asdict(config))
    assert isinstance(mapping, dict)
    return mapping


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def from_mapping(kind: type[T], content: Any, source: str, prefix: str = "") -> T:
    """Build the dataclass `kind` from plain values; `source` and `prefix` name file and key in an error.

    Raises:
        UserError: a key is unknown or a value does not fit.
    """
    if not isinstance(content, dict):
        where = f"{source}: {prefix.rstrip('.')}" if prefix else source
        raise UserError(f"{where}: expected keys and values, found {_shown(content)}")
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
        raise UserError(f"{source}: {error}") from None


def _convert(hint: Any, value: Any, source: str, key: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return from_mapping(typing.cast(type, hint), {} if value is None else value, source, f"{key}.")
    try:
        return _fit(hint, value)
    except (TypeError, ValueError):
        raise UserError(f"{source}: {key} must be {_described(hint)}, found {_shown(value)}") from None


def _fit(hint: Any, value: Any) -> Any:
    """Return `value` as the type `hint`; TypeError or ValueError where it is of another kind."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _fit_union(arguments, value)
    if origin is typing.Literal:
        return _require(value in arguments, value)
    if origin is tuple:
        _require(isinstance(value, list) and (arguments[-1] is Ellipsis or len(value) == len(arguments)), value)
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        return tuple(_fit(kind, item) for kind, item in zip(kinds, value, strict=True))
    if origin is dict:
        _require(isinstance(value, dict), value)
        return {_fit(arguments[0], key): _fit(arguments[1], item) for key, item in value.items()}
    if hint is float and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        return float(value)  # YAML 1.1 reads 1e-4 as a string
    return _require(type(value) is hint, value)


def _fit_union(alternatives: tuple[Any, ...], value: Any) -> Any:
    if value is None and type(None) in alternatives:
        return None
    for alternative in alternatives:
        try:
            return _fit(alternative, value)
        except (TypeError, ValueError):
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
    if origin is tuple:
        return f"a list of {_described(arguments[0])}s"
    if hint is type(None):
        return "null"
    names = {bool: "true or false", int: "whole number", float: "number", str: "text"}
    return names.get(hint, str(hint))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
