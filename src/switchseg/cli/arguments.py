"""Command-line flags from typed dataclasses or functions (tyro), with mistakes reported in one line."""

import contextlib
import io
from collections.abc import Callable, Sequence
from typing import TypeVar, overload

import tyro

from switchseg.errors import UserError

T = TypeVar("T")


@overload
def parse(target: type[T], verb: str, arguments: Sequence[str], default: T | None = None) -> T: ...
@overload
def parse(target: Callable[..., T], verb: str, arguments: Sequence[str], default: None = None) -> T: ...
def parse(target: Callable[..., T], verb: str, arguments: Sequence[str], default: T | None = None) -> T:
    """Fill `target` from `arguments`; flags left out keep the values of `default`, an instance of `target`.

    Raises:
        UserError: a flag is unknown, missing or has a value of the wrong kind.
    """
    optional = {} if default is None else {"default": default}
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(target, prog=f"switchseg {verb}", args=list(arguments), **optional)  # type: ignore[call-overload, no-any-return]
    except SystemExit as stop:
        if not stop.code:  # --help
            raise
        raise UserError(_one_line(complaint.getvalue(), verb)) from None


def _one_line(box: str, verb: str) -> str:
    """Reduce tyro's explanation to its words; its frame is ASCII where the terminal has no other characters."""
    lines = [line.strip("│╭╮╰╯─|+ ") for line in box.splitlines()[1:]]
    others = ("For full helptext", "switchseg ", "Argument helptext")
    words = [line for line in lines if line.strip("-") and not line.startswith(others)]
    return f"{' '.join(words)} (see: switchseg {verb} --help)"
