"""The colours of runs and statistics on paper, on a light page and on a dark one. All can be told apart when colours
cannot (Okabe and Ito; Tol's high-contrast set), and lines carry a dash pattern of their own besides.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ink:
    """One colour in its two shades, and the dash pattern of its lines in SVG's notation."""

    light: str
    dark: str
    dash: str = ""


RUNS = (
    Ink("#0072b2", "#56b4e9"),
    Ink("#c2570c", "#f29d52", "7 3"),
    Ink("#00805c", "#3fc79a", "2 3"),
    Ink("#a4437f", "#e39ac9", "9 3 2 3"),
    Ink("#57606a", "#b3bac2", "12 4"),
    Ink("#8a6d00", "#e3c94c", "5 2 1 2 1 2"),
)

STATISTICS = {"in": Ink("#ddaa33", "#e0b44c"), "ln": Ink("#bb5566", "#cf6f80"), "bn": Ink("#004488", "#4f8fd6")}


def run_class(index: int) -> str:
    """Return the CSS class that colours what belongs to the run at `index`."""
    return f"r{index % len(RUNS)}"


def run_ink(index: int) -> Ink:
    """Return the ink of the run at `index`; beyond six runs the colours begin again."""
    return RUNS[index % len(RUNS)]


def line_style(ink: Ink) -> str | tuple[int, tuple[float, ...]]:
    """Return an ink's dash pattern as matplotlib has it."""
    # matplotlib counts in widths of the line and SVG in units of its drawing, of which 1.6 are taken for a width.
    return (0, tuple(float(length) / 1.6 for length in ink.dash.split())) if ink.dash else "-"
