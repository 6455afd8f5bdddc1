"""Configs as YAML files: unknown keys, wrong kinds and impossible values are refused with a line that says the mend."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

import yaml

from switchseg import files
from switchseg.errors import UserError
from switchseg.plugins import hint, import_plugins
from switchseg.settings import from_mapping
from switchseg.text import parse_yaml, read_text

T = TypeVar("T")

_MOST_CHARACTERS = 1 << 15


def load(path: str | Path, kind: type[T], *, with_plugins: bool = False) -> T:
    """Read the YAML file at `path` into the dataclass `kind`; keys left out keep their defaults.

    With `with_plugins` the plugins that it names are imported first: for configs that the user gives, never for what
    lies in a directory of somebody's.

    Raises:
        UserError: the file is missing or no YAML, or a key or value does not fit; the line names file and key.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such config file")
    text = read_text(path)
    if len(text) > _MOST_CHARACTERS:
        raise UserError(f"{path}: more than {_MOST_CHARACTERS} characters; a config with all its settings has a tenth")
    content = parse_yaml(text, path)
    content = {} if content is None else content
    names = _plugins(content)
    if with_plugins and names:
        names = list(import_plugins(names, path.parent))
        content = {**content, "plugins": names}
    try:
        return from_mapping(kind, content, str(path))
    except UserError as error:
        raise UserError(f"{error}{hint(names)}") from None


def _plugins(content: Any) -> list[str]:
    """Return the plugins that a config names, nothing where it does not name them as it should."""
    names = content.get("plugins") if isinstance(content, dict) else None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else []


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
