"""HTML and SVG elements from Python calls. Text is escaped unless it is markup already."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

VOID = {"br", "img", "input", "link", "meta"}

Child = object
"""Markup, text or a number (escaped), a sequence of children, or None for nothing."""


class Markup(str):
    """Text that is markup already, so that it is not escaped again."""

    __slots__ = ()


def tag(name: str, /, *children: Child, **attributes: object) -> Markup:
    """Return the element `name`.

    Underscores in an attribute's name stand for hyphens, one at its end is dropped (`class_`). An attribute that is
    None or False is left out; True stands for its name alone.
    """
    parts = [name]
    for key, value in attributes.items():
        # `class` and `for` are words of Python, hence the underscore at the end.
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            parts.append(key)
        elif value is not None and value is not False:
            parts.append(f'{key}="{escape(_number(value))}"')
    opening = f"<{' '.join(parts)}>"
    return Markup(opening if name in VOID else f"{opening}{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Return the children one after another."""
    pieces: list[str] = []
    for child in children:
        if isinstance(child, Markup):
            pieces.append(child)
        elif isinstance(child, Sequence) and not isinstance(child, str):
            pieces.append(join(*child))
        elif child is not None:
            # Quotes are harmless between tags, and stay readable in the source.
            pieces.append(escape(str(child), quote=False))
    return Markup("".join(pieces))


def _number(value: object) -> str:
    # A tenth of an SVG unit is finer than a pixel; more digits only make the page heavier.
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
