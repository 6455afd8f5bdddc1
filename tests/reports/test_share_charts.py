from xml.etree import ElementTree

import numpy as np
import pytest

from switchseg.reports.series import Shares
from switchseg.reports.share_charts import share_areas, share_bars, stagger
from tests.reports.test_svg import coordinates


def test_labels_take_the_first_row_in_which_they_touch_nothing():
    assert stagger(np.array([10.0, 30, 50]), [18, 18, 18]) == [0, 0, 0]
    assert stagger(np.array([10.0, 20, 30]), [18, 18, 18]) == [0, 1, 0]
    assert stagger(np.array([10.0, 12, 14]), [18, 18, 18]) == [0, 1, 2]


def test_share_columns_are_as_tall_as_their_shares():
    shares = Shares(("a", "b"), ("in", "bn"), np.array([[0.25, 0.75], [1.0, 0.0]]), np.array([[0.5, 0.5], [0.0, 1.0]]))
    groups = ElementTree.fromstring(share_bars(shares, "x")).findall("g")
    heights = np.array([[float(rect.get("height")) for rect in group.findall("rect")] for group in groups])
    assert heights / heights.sum(1, keepdims=True) == pytest.approx(
        np.concatenate((shares.means, shares.variances)), abs=1e-3
    )
    assert groups[0].find("title").text == "a, means: IN 25 %, BN 75 %"


def test_share_areas_fill_the_frame():
    values = np.array([[0.5, 0.5], [0.1, 0.9]])
    first, second = ElementTree.fromstring(share_areas([10, 20], ("in", "bn"), values, "x")).findall("polygon")
    upper, lower = coordinates(first), coordinates(second)
    assert upper[:2, 1] == pytest.approx([12, 12])
    assert lower[2:, 1] == pytest.approx([238, 238])
    assert upper[2:][::-1] == pytest.approx(lower[:2])
