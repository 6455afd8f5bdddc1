"""The norms by name, for configs and command lines. Importing it loads no torch."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from switchseg.registry import Registry

if TYPE_CHECKING:
    from switchseg.norms import Kind


class _Norms(Registry["Kind"]):
    """A view of `norms.KINDS`, which knows the package's own without importing it.

    The norms are a library of their own, so they cannot keep their names here. Whoever adds one to them has imported
    them, and from then on they are asked.
    """

    @property
    def _names(self) -> Mapping[str, object]:
        loaded = sys.modules.get("switchseg.norms.kinds")
        names: Mapping[str, object] = loaded.KINDS if loaded else self._places
        return names

    def __getitem__(self, name: str) -> Kind:
        kinds: dict[str, Kind] = importlib.import_module("switchseg.norms.kinds").KINDS
        return kinds[name]


NORM_NAMES: Registry[Kind] = _Norms(
    "norm",
    dict.fromkeys(("bn", "syncbn", "gn", "in", "ln", "sn", "sn_in_ln", "syncsn", "ssn", "syncssn"), ""),
)
"""Name -> what is known of the norm; `norms.register_norm` adds to it."""
