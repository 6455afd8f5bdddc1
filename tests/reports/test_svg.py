from xml.etree import ElementTree

import numpy as np
import pytest

from switchseg.reports.series import Series
from switchseg.reports.svg import Line, line_chart, nice_ticks, percent_text


def coordinates(element: ElementTree.Element) -> np.ndarray:
    return np.array([[float(v) for v in point.split(",")] for point in element.get("points").split()])


def test_a_line_falls_where_its_values_fall():
    series = Series(np.array([0.0, 50, 100]), np.array([1.0, 0.5, 0.0]))
    chart = ElementTree.fromstring(line_chart("falling", [Line("a & b", 0, series)], percent_text))
    points = coordinates(chart.find("polyline"))
    assert points[:, 0] == pytest.approx([points[0, 0], points[:, 0].mean(), points[2, 0]])
    assert points[0, 1] < points[1, 1] < points[2, 1]
    assert points[1, 1] == pytest.approx((points[0, 1] + points[2, 1]) / 2, abs=0.1)
    assert chart.get("aria-label") == "falling"
    assert [text.text for text in chart.findall("text")][-1] == "a & b"


@pytest.mark.parametrize("values", [[3.0], [3.0, 3.0], [0.0, 0.0], [1e-9, 2e-9], [1e12, -1e12]])
def test_any_values_give_a_finite_drawing(values):
    series = Series(np.arange(float(len(values))), np.array(values))
    chart = line_chart("x", [Line("a", 0, series)], percent_text, smooth=5)
    ElementTree.fromstring(chart)
    assert "nan" not in chart
    assert "inf" not in chart


def test_small_fractions_have_ticks_of_their_own():
    series = Series(np.array([0.0, 1.0]), np.array([0.0051, 0.0104]))
    chart = ElementTree.fromstring(line_chart("x", [Line("a", 0, series)], percent_text))
    ticks = [text.text for text in chart.findall("text") if text.text.endswith("%")]
    assert len(ticks) == len(set(ticks)) >= 4


def test_names_at_the_ends_do_not_touch():
    lines = [Line(f"run {i}", i, Series(np.array([0.0, 1.0]), np.array([1.0, 0.1 + i / 1000]))) for i in range(5)]
    chart = ElementTree.fromstring(line_chart("x", lines, percent_text))
    names = [t for t in chart.findall("text") if "name" in t.get("class", "")]
    places = sorted(float(name.get("y")) for name in names)
    assert len(places) == 5
    assert min(np.diff(places)) >= 18.9


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (0.31, 2.9), (-5.0, 5.0), (0.0021, 0.0187), (7.0, 7.0)])
def test_ticks_enclose_the_values_in_a_handful_of_steps(low, high):
    ticks = nice_ticks(low, high, 5)
    assert ticks[0] <= low <= high <= ticks[-1]
    assert 2 <= len(ticks) <= 8
    assert np.diff(ticks) == pytest.approx(ticks[1] - ticks[0])


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.001, 0.001 + 1e-18, [0.001, 0.0012]),
        (5.0, 5.0 + 1e-15, [5.0, 6.0]),
        (1e-14, 3e-14, [1e-14, 1.5e-14, 2e-14, 2.5e-14, 3e-14]),
        (1e-310, 2e-310, [0.0, 0.2]),
        (0.0, 0.0, [0.0, 0.2]),
    ],
)
def test_an_axis_has_a_length_whatever_the_values(low, high, ticks):
    assert nice_ticks(low, high, 5) == ticks
