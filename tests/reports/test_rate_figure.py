"""The figure of a rate finder shows the curve on a logarithmic scale, and the suggestion where there is one."""

import pytest

from switchseg.reports.rate_figure import rate_figure


@pytest.mark.parametrize(("suggestion", "lines"), [(0.01, 3), (None, 2)])
def test_losses_over_rates(suggestion, lines):
    (axes,) = rate_figure((1e-3, 1e-2, 1e-1), (2.0, 1.0, 50.0), (2.0, 1.5, 10.0), suggestion).axes
    assert axes.get_xscale() == "log"
    assert len(axes.lines) == lines
    assert axes.get_ylim()[1] == pytest.approx(2.4)
    assert ("0.01" in axes.get_title(loc="center") + axes.get_title(loc="left")) == (suggestion is not None)
