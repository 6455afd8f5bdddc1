"""What several sections show: keys of legends, and tables that scroll inside the page instead of widening it."""

from __future__ import annotations

from collections.abc import Sequence

from switchseg.reports.markup import Markup, tag
from switchseg.reports.theme import run_class, run_ink


def line_key(run: int) -> Markup:
    """Draw a short piece of the line of a run."""
    stroke = tag("line", x1=1, y1=6, x2=25, y2=6, stroke_dasharray=run_ink(run).dash or None)
    return tag("svg", stroke, viewBox="0 0 26 12", class_=f"key {run_class(run)}", aria_hidden="true")


def swatch(colour: Sequence[int]) -> Markup:
    """Draw a small square of an RGB colour."""
    return tag("i", class_="swatch", style=f"background:rgb({','.join(map(str, colour))})")


def delta(difference: float, digits: int = 2) -> Markup:
    """Write a difference of fractions in points, coloured by its sign."""
    points = 100 * difference
    sign = "up" if points > 0 else "down" if points < 0 else ""
    return tag("span", f"{points:+.{digits}f}".replace("-", "−"), class_=f"delta {sign}".strip())


def scrolling(content: Markup, label: str, class_: str = "") -> Markup:
    """Wrap what may be wider than the page; the keyboard can scroll it."""
    return tag("div", content, class_=f"scroll {class_}".strip(), tabindex=0, role="region", aria_label=label)


def titled_table(title: str, head: Markup, body: Sequence[Markup], class_: str, *, tall: bool = False) -> Markup:
    """Return a table that scrolls, with a title for those who hear the page."""
    caption = tag("caption", title, class_="unseen")
    table = tag("table", caption, tag("thead", head), tag("tbody", body), class_=class_)
    return scrolling(table, title, "tall" if tall else "")
