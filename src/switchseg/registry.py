"""Registry: the things of one kind by name, to which plugins add their own. Importing it loads no torch."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

from switchseg.errors import UserError

T = TypeVar("T")

_REGISTRY = "registry"


class Registry(Mapping[str, T], Generic[T]):
    """A mapping from names to things of one kind, in the order in which they were added.

    The package's own are given as "module:attribute" and imported when they are first asked for, so that a config can
    be checked, and help be printed, without what they need.
    """

    def __init__(self, kind: str, own: Mapping[str, str] | None = None) -> None:
        """Make a registry of the package's own entries.

        Args:
            kind: What an entry is, for messages: "loss", "decoder".
            own: Name -> "module:attribute".
        """
        self.kind = kind
        self._places = dict(own or {})
        self._entries: dict[str, T] = {}

    def register(self, name: str, *, replace: bool = False) -> Callable[[T], T]:
        """Return a decorator that adds what it decorates, and returns it as it is.

        Raises:
            UserError: the name is taken by something else, and `replace` is false.
        """

        def add(entry: T) -> T:
            if not replace and name in self and self[name] is not entry:
                raise UserError(f"there is a {self.kind} called {name!r} already; another name was expected")
            # A replaced entry keeps its place in the order, which is that of help and messages.
            self._places.setdefault(name, "")
            self._entries[name] = entry
            return entry

        return add

    def require(self, key: str, name: str) -> None:
        """Raise a UserError that names the setting `key` and the nearest names if there is no entry `name`."""
        if name in self:
            return
        near = difflib.get_close_matches(name, self, n=1, cutoff=0.5)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        raise UserError(f"{key}: there is no {self.kind} {name!r}{meant} (there are {', '.join(self)})")

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            module, _, attribute = self._places[name].partition(":")
            self._entries[name] = cast(T, getattr(importlib.import_module(module), attribute))
        return self._entries[name]

    @property
    def _names(self) -> Mapping[str, object]:
        """What has the names for its keys, in their order."""
        return self._places

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __repr__(self) -> str:
        return f"Registry({self.kind}: {', '.join(self)})"


def named(registry: Registry[Any], default: Any = dataclasses.MISSING) -> Any:
    """Return the field of a dataclass for names of `registry`, one or several; `check_names` and `--help` find it."""
    return dataclasses.field(default=default, metadata={_REGISTRY: registry})


def registry_of(field: dataclasses.Field[Any]) -> Registry[Any] | None:
    """Return the registry whose names a field made by `named` holds, None for every other field."""
    return field.metadata.get(_REGISTRY)


def check_names(prefix: str, config: Any) -> None:
    """Raise a UserError for the first field made by `named` that holds no such name; None names nothing.

    Args:
        prefix: What stands before a field's name in the message: "optim." or "--".
        config: A dataclass.
    """
    for field in dataclasses.fields(config):
        registry, value = registry_of(field), getattr(config, field.name)
        if registry is not None and value is not None:
            # A field like `recorders` holds several names, and the first wrong one is told.
            for name in value if isinstance(value, tuple) else (value,):
                registry.require(f"{prefix}{field.name}", name)
