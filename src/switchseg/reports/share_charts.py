"""Charts of the IN/LN/BN shares, as inline SVG like all charts of the page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.series import Array, Shares
from switchseg.reports.svg import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, Scale, grid, percent_text, points_text


def share_bars(shares: Shares, description: str) -> Markup:
    """Draw one stacked column per layer, means above and variances below, as the Switchable Normalization paper does.

    The chart is twice as wide as others, 1060 units.
    """
    left, width, height, gap = 90.0, 1060.0, 128.0, 16.0
    column = (width - left) / len(shares.layers)
    # The gap shrinks with the columns, or it would eat them where there are hundreds of layers.
    thin = min(0.16 * column, 2.0)
    parts = []
    for row, (kind, values) in enumerate(shares.kinds.items()):
        top = 4 + row * (height + gap)
        parts.append(tag("text", kind, x=left - 12, y=top + height / 2 + 5, text_anchor="end"))
        for index, layer in enumerate(shares.layers):
            label = f"{layer}, {kind}: {mixture_text(shares.statistics, values[index])}"
            bars = _column(shares.statistics, values[index], left + index * column, top, column - thin, height)
            parts.append(tag("g", tag("title", label), bars))
    bottom = 4 + 2 * height + gap
    return tag(
        "svg",
        parts,
        _group_axis(shares.groups, left, column, bottom),
        viewBox=f"0 0 {width:.0f} {bottom + 50:.0f}",
        role="img",
        aria_label=description,
        class_="chart wide",
    )


def share_areas(steps: Sequence[int], statistics: Sequence[str], values: Array, description: str) -> Markup:
    """Draw shares [steps, statistics] that sum to 1 as areas over steps, stacked from the top like the columns."""
    x = Scale(float(min(steps)), float(max(steps)), LEFT, WIDTH - 14)
    y = Scale(0.0, 1.0, HEIGHT - BOTTOM, TOP)
    across = x(np.array(steps, np.float64))
    edges = y(1 - np.concatenate((np.zeros((len(steps), 1)), np.cumsum(values, axis=1)), axis=1))
    areas = []
    for index, statistic in enumerate(statistics):
        outline = np.concatenate(
            (np.stack((across, edges[:, index]), 1), np.stack((across, edges[:, index + 1]), 1)[::-1])
        )
        areas.append(tag("polygon", points=points_text(outline), class_=f"s-{statistic}"))
    return tag(
        "svg",
        grid(x, y, [0.0, 0.25, 0.5, 0.75, 1.0], percent_text),
        areas,
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        role="img",
        aria_label=description,
        class_="chart",
    )


def _column(
    statistics: Sequence[str], shares: Array, left: float, top: float, width: float, height: float
) -> list[Markup]:
    edges = top + height * np.concatenate(([0.0], np.cumsum(shares)))
    return [
        # Shares sum to 1 up to rounding only, and SVG refuses a negative height.
        tag("rect", x=left, y=float(a), width=width, height=max(0.0, float(b - a)), class_=f"s-{statistic}")
        for statistic, a, b in zip(statistics, edges[:-1], edges[1:], strict=True)
    ]


def _group_axis(groups: Sequence[tuple[str, int]], left: float, column: float, top: float) -> list[Markup]:
    ends = left + column * np.cumsum([count for _, count in groups])
    starts = np.concatenate(([left], ends[:-1]))
    widths = [8.0 * len(name) for name, _ in groups]
    # The last name is moved to the left where it would run out of the drawing.
    centres = np.minimum((starts + ends) / 2, ends[-1] - np.array(widths) / 2)
    rows = stagger(centres, widths)
    return [
        join(
            tag("line", x1=float(start) + 1, x2=float(end) - 3, y1=top + 6, y2=top + 6, class_="axis"),
            tag("text", name, x=float(centre), y=top + 24 + 18 * row, text_anchor="middle"),
        )
        for (name, _), start, end, centre, row in zip(groups, starts, ends, centres, rows, strict=True)
    ]


def stagger(centres: Array, widths: Sequence[float]) -> list[int]:
    """Return for labels in a line, from left to right, the row of each in which it touches no other."""
    ends: list[float] = []
    rows = []
    for centre, width in zip(centres, widths, strict=True):
        free = (index for index, end in enumerate(ends) if end <= centre - width / 2)
        row = next(free, len(ends))
        ends[row : row + 1] = [centre + width / 2]
        rows.append(row)
    return rows


def mixture_text(statistics: Sequence[str], shares: Array) -> str:
    """Write how much of each statistic there is."""
    return ", ".join(f"{name.upper()} {percent_text(share)}" for name, share in zip(statistics, shares, strict=True))
