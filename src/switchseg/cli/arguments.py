"""Command-line flags from typed dataclasses or functions (tyro), with mistakes reported in one line."""

import contextlib
import dataclasses
import io
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar, overload

import tyro

from switchseg.cli.examples import examples
from switchseg.cli.values import AS_USERS_SAY
from switchseg.errors import UserError
from switchseg.registry import Registry, check_names, registry_of

T = TypeVar("T")


@overload
def parse(
    target: type[T], verb: str, arguments: Sequence[str], default: T | None = None, *, operands: str = ""
) -> T: ...
@overload
def parse(
    target: Callable[..., T], verb: str, arguments: Sequence[str], default: None = None, *, operands: str = ""
) -> T: ...
def parse(
    target: Callable[..., T], verb: str, arguments: Sequence[str], default: T | None = None, *, operands: str = ""
) -> T:
    """Fill `target` from `arguments`; flags left out keep the values of `default`, an instance of `target`.

    `operands` are what the usage names besides; they are no longer among the arguments.

    Raises:
        UserError: a flag is unknown, missing or has a value of the wrong kind.
    """
    optional = {} if default is None else {"default": default}
    complaint = io.StringIO()
    try:
        # tyro draws a box over several lines and exits; here every mistake is one line and exit code 2.
        with contextlib.redirect_stderr(complaint):
            parsed = tyro.cli(  # type: ignore[call-overload]
                target,
                prog=f"switchseg {verb} {operands}".rstrip(),
                args=list(arguments),
                registry=AS_USERS_SAY,
                **optional,
            )
    except SystemExit as stop:
        if not stop.code:  # --help
            print(_names(target) + examples(verb), end="")
            raise
        raise UserError(_one_line(complaint.getvalue(), verb)) from None
    if dataclasses.is_dataclass(parsed):
        # Not by tyro: names of registries are texts to it, since plugins may add some.
        check_names("--", parsed)
    return typing.cast(T, parsed)


def _names(target: Any) -> str:
    """Return the names that settings may have, one registry a line."""
    lines = [f"  --{key}: {', '.join(registry)}\n" for key, registry in _registries(target)]
    return "".join(["\nnames (plugins add theirs, see docs/extending.md):\n", *lines]) if lines else ""


def _registries(kind: Any, prefix: str = "") -> Iterator[tuple[str, Registry[Any]]]:
    hints = typing.get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
    for field in dataclasses.fields(kind) if hints else ():
        key = prefix + field.name.replace("_", "-")
        registry = registry_of(field)
        if registry is not None:
            yield key, registry
        yield from _registries(hints[field.name], f"{key}.")


def _one_line(box: str, verb: str) -> str:
    """Reduce tyro's explanation to its words; its frame is ASCII where the terminal has no other characters."""
    lines = [line.strip("│╭╮╰╯─|+ ") for line in box.splitlines()[1:]]
    others = ("For full helptext", "switchseg ", "Argument helptext")
    words = [line for line in lines if line.strip("-") and not line.startswith(others)]
    return f"{' '.join(words)} (see: switchseg {verb} --help)"
