"""How the values of flags are named in help: INT ... and not {None}|{[INT [INT ...]]}, as tyro names them."""

from __future__ import annotations

import dataclasses
import types
import typing
from pathlib import Path
from typing import Any

from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo
from tyro.constructors import UnsupportedTypeAnnotationError as Unsupported

AS_USERS_SAY = ConstructorRegistry()

Spec = PrimitiveConstructorSpec[Any] | Unsupported | None


@AS_USERS_SAY.primitive_rule
def optional(info: PrimitiveTypeInfo) -> Spec:
    """Take `None` for what may be None, without saying so: it is what a flag that is left out stands for."""
    kinds = typing.get_args(info.type)
    if info.type_origin not in (typing.Union, types.UnionType) or type(None) not in kinds:
        return None
    others: Any = typing.Union[tuple(kind for kind in kinds if kind is not type(None))]  # noqa: UP007 - made at run time
    inner = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(others, set(info.markers)))
    if isinstance(inner, Unsupported):
        return inner
    return dataclasses.replace(
        inner,
        nargs=inner.nargs if inner.nargs in (1, "*") else _or_one(inner.nargs),
        instance_from_str=lambda words: None if words == ["None"] else inner.instance_from_str(words),
        is_instance=lambda value: value is None or inner.is_instance(value),
        str_from_instance=lambda value: ["None"] if value is None else inner.str_from_instance(value),
        choices=inner.choices and (*inner.choices, "None"),
    )


@AS_USERS_SAY.primitive_rule
def path(info: PrimitiveTypeInfo) -> Spec:
    """Take a path, and no empty text: `--out "$OUT"` with a misspelt variable would mean the current folder."""
    if info.type is not Path:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH",
        instance_from_str=lambda words: _path(words[0]),
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda value: [str(value)],
    )


def _path(word: str) -> Path:
    if not word:
        raise ValueError("an empty text; a path was expected")
    return Path(word)


def _or_one(counts: Any) -> tuple[int, ...]:
    return (1, *(counts if isinstance(counts, tuple) else (counts,)))


@AS_USERS_SAY.primitive_rule
def several(info: PrimitiveTypeInfo) -> Spec:
    """Take any number of values of one kind."""
    kinds = typing.get_args(info.type)
    if info.type_origin is not tuple or len(kinds) != 2 or kinds[1] is not Ellipsis:
        return None
    inner = ConstructorRegistry.get_primitive_spec(PrimitiveTypeInfo.make(kinds[0], set(info.markers)))
    if isinstance(inner, Unsupported) or inner.nargs != 1:
        return None
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=f"{inner.metavar} ...",
        instance_from_str=lambda words: tuple(inner.instance_from_str([word]) for word in words),
        is_instance=lambda value: isinstance(value, tuple) and all(map(inner.is_instance, value)),
        str_from_instance=lambda value: [word for each in value for word in inner.str_from_instance(each)],
        choices=inner.choices,
    )
