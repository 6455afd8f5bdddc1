"""Configs as YAML files: unknown keys, wrong kinds and impossible values are refused with a line that says the mend."""

from __future__ import annotations

import dataclasses
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml

from switchseg import files
from switchseg.errors import UserError
from switchseg.plugins import hint, import_plugins
from switchseg.settings import from_mapping, shown
from switchseg.text import parse_yaml, read_text

T = TypeVar("T")

# PyYAML takes seconds for a megabyte, so what cannot be a config is refused before it is parsed.
_MOST_CHARACTERS = 1 << 15
# In an installed package; a checkout, of which an editable installation is made, has them at its top.
_SHIPPED = next(filter(Path.is_dir, (Path(__file__).parents[up] / "configs" for up in (1, 3))), Path("configs"))


def load(path: str | Path, kind: type[T], *, with_plugins: bool = False) -> T:
    """Read the YAML file at `path` into the dataclass `kind`; keys left out keep their defaults.

    A key `base` names another config, relative to the file that it is in, whose values hold where the file itself says
    nothing. Sections are merged; all other values, lists and tables among them, are replaced.

    Where there is no such file, `configs/NAME` or `NAME` is one that comes with the installed package.

    With `with_plugins` the plugins that it names are imported first: for configs that the user gives, never for what
    lies in a directory of somebody's.

    Raises:
        UserError: a file is missing or no YAML, a key or value does not fit, or a base leads back to itself; the line
            names file and key.
    """
    path = _found(Path(path))
    content = _with_base(path, kind, with_plugins)
    try:
        return from_mapping(kind, content, str(path))
    except UserError as error:
        raise UserError(f"{error}{hint(_plugins(content))}") from None


def _found(path: Path) -> Path:
    # A file of the user's wins over the shipped one of that name. An absolute path stays itself under `/`.
    shipped = _SHIPPED / (path.relative_to("configs") if path.parts[:1] == ("configs",) else path)
    return path if path.exists() or not shipped.is_file() else shipped


def _with_base(path: Path, kind: type[Any], with_plugins: bool, above: tuple[Path, ...] = ()) -> Any:
    """Return what the file at `path` and the bases under it say; `above` are the files that build on it."""
    own = _read(path)
    if with_plugins and (names := _plugins(own)):
        # Now, since a base is checked before what builds on it; their paths are relative to the file that names them.
        own["plugins"] = list(import_plugins(names, path.parent))
    if not isinstance(own, dict) or "base" not in own:
        return own
    base = own.pop("base")
    if not isinstance(base, str) or not base:
        raise UserError(f"{path}: base must be the path of another config, found {shown(base)}")
    place, above = path.parent / base, (*above, path.resolve())
    # Resolved, since two paths to one file, by links or `..`, are a circle too.
    if place.resolve() in above:
        raise UserError(f"{path}: base {base} builds on this config itself")
    if not place.is_file():
        raise UserError(f"{path}: base {base} is no file; the path of a config, relative to this one, was expected")
    under = _with_base(place, kind, with_plugins, above)
    from_mapping(kind, under, str(place))  # what is wrong there is said of that file
    return _merged(kind, under, own)


def _merged(kind: type[Any], under: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return `own` on top of `under`; a setting that takes another one's place removes that from below."""
    # `epochs` above `steps` would else be refused as both being given, though they come from two files.
    given = [field.metadata.get("instead_of") for field in dataclasses.fields(kind) if own.get(field.name) is not None]
    merged = {key: value for key, value in under.items() if key not in given}
    hints = typing.get_type_hints(kind)
    for key, value in own.items():
        below, is_section = under.get(key), dataclasses.is_dataclass(hints.get(key))
        # Only fields that are dataclasses are sections; a table that is a value would keep entries nobody asked for.
        if is_section and isinstance(below, dict) and isinstance(value, (dict, types.NoneType)):
            merged[key] = _merged(typing.cast(type, hints[key]), below, value or {})
        else:
            merged[key] = value
    return merged


def _read(path: Path) -> Any:
    # Told apart from a file that cannot be read, since a misspelt path is by far the most frequent mistake.
    if not path.exists():
        raise UserError(f"{path}: no such config file")
    text = read_text(path)
    if len(text) > _MOST_CHARACTERS:
        raise UserError(f"{path}: more than {_MOST_CHARACTERS} characters; a config with all its settings has a tenth")
    content = parse_yaml(text, path)
    return {} if content is None else content


def _plugins(content: Any) -> list[str]:
    """Return the plugins that a config names, nothing where it does not name them as it should."""
    names = content.get("plugins") if isinstance(content, dict) else None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


def save(path: str | Path, config: Any) -> None:
    """Write the dataclass `config` with all its values to `path`, whole or not at all."""
    # In the order of the dataclasses, which is that of the documentation; names stay readable in any script.
    files.write_text(path, yaml.safe_dump(to_mapping(config), sort_keys=False, allow_unicode=True))


def to_mapping(config: Any) -> dict[str, Any]:
    """Return the dataclass `config` as plain dicts, lists, strings and numbers."""
    mapping = _plain(dataclasses.asdict(config))
    assert isinstance(mapping, dict)
    return mapping


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    # `safe_dump` refuses tuples, and `dump` would tag them as Python's, which nothing else can read.
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
