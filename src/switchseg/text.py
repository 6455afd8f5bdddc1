"""Small text files that people write: decoded as their editor meant them, and YAML without its traps."""

from __future__ import annotations

import codecs
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from switchseg.errors import UserError
from switchseg.files import open_regular

# A wrong path may name a video: a mebibyte is far above any list of classes or settings.
_MOST_BYTES = 1 << 20


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 if it begins with its mark; marks are left out.

    Raises:
        UserError: the file cannot be read, is no text, or has more than a mebibyte.
    """
    try:
        with open_regular(path) as file:
            # One byte more than allowed tells a file that is too long, and no size is trusted that may change.
            content = file.read(_MOST_BYTES + 1)
    except (OSError, UserError) as error:
        raise UserError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > _MOST_BYTES:
        raise UserError(f"{path}: more than {_MOST_BYTES} bytes; a few names and settings were expected")
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        # Notepad and PowerShell put marks first; without "-sig" the mark would become a part of the first key.
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: cannot be read as text in UTF-8 ({error.reason} at byte {error.start})") from None


def parse_yaml(text: str, path: Path) -> Any:
    """Return what a YAML text says; a key given twice, anchors and aliases, which can grow without end, are refused.

    Raises:
        UserError: it is no YAML, or has one of these.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader
    except (
        yaml.YAMLError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise UserError(f"{path}: cannot be read as YAML ({' '.join(str(error).split())[:300]})") from None


class _Loader(yaml.SafeLoader):
    """YAML as a list of settings needs it."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        # Ten aliases of ten aliases each, nine levels deep, are a billion entries in less than a kilobyte.
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.composer.ComposerError(None, None, "anchors and aliases are not taken", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        # PyYAML takes the last of equal keys without a word, so a setting further up would seem to have no effect.
        if len(mapping) < len(node.value):
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            second = next(place for place, key in enumerate(keys) if key in keys[:place])
            what, mark = f"the key {keys[second]!r} is given twice", node.value[second][0].start_mark
            raise yaml.constructor.ConstructorError(None, None, what, mark)
        return mapping
