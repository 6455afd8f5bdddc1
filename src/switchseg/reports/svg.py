"""Charts as inline SVG that take their colours from the page, so that one drawing serves light and dark.

A chart is drawn in units of a 520 wide box and scales with its column. Classes `r0`, `r1`, ... colour what belongs to
a run, `s-in`, `s-ln`, `s-bn` what belongs to a statistic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.series import Array, Series, Shares
from switchseg.reports.theme import run_class, run_ink

WIDTH, HEIGHT = 520.0, 270.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 78.0, 12.0, 32.0
MOST_POINTS = 240
"""More points than a line has pixels make the page heavier and nothing clearer."""

V = TypeVar("V", float, Array)

KINDS = ("means", "variances")


@dataclass(frozen=True)
class Line:
    """What one run did; `run` is its place in the report, which decides its colour."""

    label: str
    run: int
    series: Series


@dataclass(frozen=True)
class Scale:
    """A linear map from data to drawing units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: V) -> V:
        """Map a number, or each number of an array."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def to_attribute(self) -> str:
        """Return the four numbers as text."""
        return f"{self.low:g} {self.high:g} {self.start:g} {self.end:g}"


def line_chart(description: str, lines: Sequence[Line], text: Callable[[float], str], *, smooth: int = 1) -> Markup:
    """Draw lines over steps, each named at its end.

    Args:
        description: What a reader who does not see the chart should know of it.
        lines: At least one line with at least one point.
        text: Writes a value of the vertical axis.
        smooth: Entries of the running mean that is drawn over the pale raw line; 1 draws the line as it is.
    """
    shown = [Line(line.label, line.run, line.series.smoothed(smooth).thinned(MOST_POINTS)) for line in lines]
    steps = np.concatenate([line.series.steps for line in shown])
    values = np.concatenate([line.series.values for line in shown])
    ticks = nice_ticks(float(values.min()), float(values.max()), 5)
    x = Scale(min(0.0, steps.min()), max(steps.max(), 1.0), LEFT, WIDTH - RIGHT)
    y = Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    raw = [line for line in lines if smooth > 1]
    return tag(
        "svg",
        _grid(x, y, ticks, text),
        # The raw values may leave the frame that the smoothed ones set.
        [_path(line, x, y, "raw") for line in _clipped(raw, ticks)],
        [_path(line, x, y, "line") for line in shown],
        _end_labels(shown, y),
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        role="img",
        aria_label=description,
        class_="chart readable",
        tabindex=0,
        # What page.js needs to read values off the drawing.
        data_x=x.to_attribute(),
        data_y=y.to_attribute(),
        data_unit="%" if text is percent_text else None,
    )


def share_bars(shares: Shares, description: str) -> Markup:
    """Draw one stacked column per layer, means above and variances below, as the Switchable Normalization paper does.

    The chart is twice as wide as others, 1060 units.
    """
    left, width, height, gap = 90.0, 1060.0, 128.0, 16.0
    column = (width - left) / len(shares.layers)
    thin = min(0.16 * column, 2.0)
    parts = []
    for row, (kind, values) in enumerate(zip(KINDS, (shares.means, shares.variances), strict=True)):
        top = 4 + row * (height + gap)
        parts.append(tag("text", kind, x=left - 12, y=top + height / 2 + 5, text_anchor="end"))
        for index, layer in enumerate(shares.layers):
            label = f"{layer}, {kind}: {_mixture(shares.statistics, values[index])}"
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
        areas.append(tag("polygon", points=_points(outline), class_=f"s-{statistic}"))
    return tag(
        "svg",
        _grid(x, y, [0.0, 0.25, 0.5, 0.75, 1.0], percent_text),
        areas,
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        role="img",
        aria_label=description,
        class_="chart",
    )


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """Return about `count` round values that enclose `low` and `high`."""
    span = high - low or abs(high) or 1.0
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 12) for index in range(first, max(last, first + 1) + 1)]


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


def percent_text(value: float) -> str:
    """Write a fraction in whole percent."""
    return f"{100 * value:.0f} %"


def _grid(x: Scale, y: Scale, ticks: Sequence[float], text: Callable[[float], str]) -> Markup:
    rows = [
        (
            tag("line", x1=x.start, x2=x.end, y1=y(tick), y2=y(tick), class_="grid"),
            tag("text", text(tick), x=x.start - 8, y=y(tick) + 4, text_anchor="end"),
        )
        for tick in ticks
    ]
    columns = [
        tag("text", f"{tick:,.0f}".replace(",", "\u2009"), x=x(tick), y=HEIGHT - 10, text_anchor="middle")
        for tick in nice_ticks(x.low, x.high, 4)
        if x.low <= tick <= x.high and tick == round(tick)
    ]
    return join(rows, columns)


def _path(line: Line, x: Scale, y: Scale, class_: str) -> Markup:
    points = np.stack((x(line.series.steps), y(line.series.values)), axis=1)
    dash = run_ink(line.run).dash if class_ == "line" else ""
    classes = f"{class_} {run_class(line.run)}"
    if len(points) == 1:
        return tag("circle", cx=float(points[0, 0]), cy=float(points[0, 1]), r=3, class_=f"dot {classes}")
    return tag("polyline", points=_points(points), class_=classes, stroke_dasharray=dash or None, data_name=line.label)


def _clipped(lines: Sequence[Line], ticks: Sequence[float]) -> list[Line]:
    return [
        Line(line.label, line.run, Series(s.steps, np.clip(s.values, ticks[0], ticks[-1])))
        for line in lines
        for s in [line.series.thinned(MOST_POINTS)]
    ]


def _end_labels(lines: Sequence[Line], y: Scale) -> list[Markup]:
    """Name each line where it ends, names that would touch pushed apart."""
    labels, above = [], -math.inf
    ends = sorted(lines, key=lambda line: y(float(line.series.values[-1])))
    for index, line in enumerate(ends):
        room_below = (len(ends) - 1 - index) * 19
        place = min(max(y(float(line.series.values[-1])) + 4, above + 19), HEIGHT - BOTTOM - room_below + 4)
        above = place
        name = line.label if len(line.label) <= 10 else line.label[:9] + "…"
        labels.append(tag("text", name, x=WIDTH - RIGHT + 8, y=place, class_=f"name {run_class(line.run)}"))
    return labels


def _column(
    statistics: Sequence[str], shares: Array, left: float, top: float, width: float, height: float
) -> list[Markup]:
    edges = top + height * np.concatenate(([0.0], np.cumsum(shares)))
    return [
        tag("rect", x=left, y=float(a), width=width, height=max(0.0, float(b - a)), class_=f"s-{statistic}")
        for statistic, a, b in zip(statistics, edges[:-1], edges[1:], strict=True)
    ]


def _group_axis(groups: Sequence[tuple[str, int]], left: float, column: float, top: float) -> list[Markup]:
    ends = left + column * np.cumsum([count for _, count in groups])
    starts = np.concatenate(([left], ends[:-1]))
    widths = [8.0 * len(name) for name, _ in groups]
    centres = np.minimum((starts + ends) / 2, ends[-1] - np.array(widths) / 2)
    rows = stagger(centres, widths)
    return [
        join(
            tag("line", x1=float(start) + 1, x2=float(end) - 3, y1=top + 6, y2=top + 6, class_="axis"),
            tag("text", name, x=float(centre), y=top + 24 + 18 * row, text_anchor="middle"),
        )
        for (name, _), start, end, centre, row in zip(groups, starts, ends, centres, rows, strict=True)
    ]


def _mixture(statistics: Sequence[str], shares: Array) -> str:
    return ", ".join(f"{name.upper()} {percent_text(share)}" for name, share in zip(statistics, shares, strict=True))


def _points(points: Array) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
