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
from switchseg.reports.series import Array, Series
from switchseg.reports.theme import run_class, run_ink

WIDTH, HEIGHT = 520.0, 270.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 78.0, 12.0, 32.0
MOST_POINTS = 240
"""More points than a line has pixels make the page heavier and nothing clearer."""

V = TypeVar("V", float, Array)


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


def line_chart(description: str, lines: Sequence[Line], text: Callable[[float], str], *, smooth: float = 0.0) -> Markup:
    """Draw lines over steps, each named at its end.

    Args:
        description: What a reader who does not see the chart should know of it.
        lines: At least one line with at least one point.
        text: Writes a value of the vertical axis.
        smooth: Steps of the running mean that is drawn over the pale raw line; 0 draws the line as it is.
    """
    # Smoothed first: thinned values would be a noisier sample of the curve.
    shown = [Line(line.label, line.run, line.series.smoothed(smooth).thinned(MOST_POINTS)) for line in lines]
    steps = np.concatenate([line.series.steps for line in shown])
    values = np.concatenate([line.series.values for line in shown])
    ticks = nice_ticks(float(values.min()), float(values.max()), 5)
    x = Scale(min(0.0, steps.min()), max(steps.max(), 1.0), LEFT, WIDTH - RIGHT)
    y = Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    raw = [line for line in lines if smooth]
    return tag(
        "svg",
        grid(x, y, ticks, text),
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


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """Return about `count` round values that enclose `low` and `high`."""
    magnitude = max(abs(low), abs(high))
    # A single value, or what is constant but for rounding, still needs an axis of some length.
    span = high - low if high - low > 1e-9 * magnitude else magnitude
    rough = (span if span > 1e-300 else 1.0) / count
    exponent = math.floor(math.log10(rough))
    power = 10.0**exponent
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    # The slack keeps 0.3 / 0.1 = 2.9999999999999996 from adding an empty interval.
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 3 - exponent) for index in range(first, max(last, first + 1) + 1)]


def percent_text(value: float) -> str:
    """Write a fraction in percent, with the digits that it needs."""
    return f"{100 * value:.3g} %"


def grid(x: Scale, y: Scale, ticks: Sequence[float], text: Callable[[float], str]) -> Markup:
    """Draw a line with its value at every tick of `y`, and whole steps along `x`."""
    columns = [
        tag("text", f"{tick:,.0f}".replace(",", "\u2009"), x=x(tick), y=HEIGHT - 10, text_anchor="middle")
        for tick in nice_ticks(x.low, x.high, 4)
        if x.low <= tick <= x.high and tick == round(tick)
    ]
    return join(value_grid(x, y, ticks, text), columns)


def value_grid(x: Scale, y: Scale, ticks: Sequence[float], text: Callable[[float], str]) -> Markup:
    """Draw a line with its value at every tick of `y`."""
    rows = [
        (
            tag("line", x1=x.start, x2=x.end, y1=y(tick), y2=y(tick), class_="grid"),
            tag("text", text(tick), x=x.start - 8, y=y(tick) + 4, text_anchor="end"),
        )
        for tick in ticks
    ]
    return join(rows)


def _path(line: Line, x: Scale, y: Scale, class_: str) -> Markup:
    points = np.stack((x(line.series.steps), y(line.series.values)), axis=1)
    dash = run_ink(line.run).dash if class_ == "line" else ""
    classes = f"{class_} {run_class(line.run)}"
    # A line of one point is drawn as nothing.
    if len(points) == 1:
        return tag("circle", cx=float(points[0, 0]), cy=float(points[0, 1]), r=3, class_=f"dot {classes}")
    return tag(
        "polyline", points=points_text(points), class_=classes, stroke_dasharray=dash or None, data_name=line.label
    )


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
        # Names are 19 units high; those that are still to come must fit above the axis.
        room_below = (len(ends) - 1 - index) * 19
        place = min(max(y(float(line.series.values[-1])) + 4, above + 19), HEIGHT - BOTTOM - room_below + 4)
        above = place
        name = line.label if len(line.label) <= 10 else line.label[:9] + "…"
        labels.append(tag("text", name, x=WIDTH - RIGHT + 8, y=place, class_=f"name {run_class(line.run)}"))
    return labels


def points_text(points: Array) -> str:
    """Write points [n, 2] as SVG has them."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
