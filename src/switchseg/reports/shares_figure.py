"""The figure of shares: how much of each statistic every layer uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from switchseg.errors import UserError
from switchseg.reports.paper import WIDTH, legend
from switchseg.reports.runs import Run
from switchseg.reports.series import Shares, last_shares
from switchseg.reports.share_charts import stagger
from switchseg.reports.theme import STATISTICS


def shares_figure(runs: Sequence[Run]) -> Figure:
    """Draw the IN/LN/BN shares per layer, means above variances, for every run that mixes statistics.

    Raises:
        UserError: no run does.
    """
    found = [(run, shares) for run in runs if (shares := last_shares(run)) is not None]
    if not found:
        raise UserError(
            "none of the runs has logged shares: their norms do not mix statistics, or no record was due yet"
        )
    figure = Figure(figsize=(WIDTH, 2.9 * len(found) + 0.3), layout="constrained")
    axes = figure.subplots(2 * len(found), 1, squeeze=False)[:, 0]
    for index, (run, shares) in enumerate(found):
        upper, lower = axes[2 * index : 2 * index + 2]
        _stack(upper, shares, shares.means, "means")
        _stack(lower, shares, shares.variances, "variances")
        upper.set_xticks([])
        upper.set_title(run.label)
        _name_groups(lower, shares)
    statistics = dict.fromkeys(name for _, shares in found for name in shares.statistics)
    legend(figure, loc="outside upper right", ncols=len(statistics))
    return figure


def _stack(axes: Axes, shares: Shares, values: np.ndarray[Any, Any], title: str) -> None:
    top = np.ones(len(shares.layers))
    for index, statistic in enumerate(shares.statistics):
        height = values[:, index]
        colour = STATISTICS[statistic].light
        axes.bar(range(len(height)), height, 0.9, bottom=top - height, color=colour, label=statistic.upper())
        top = top - height
    axes.set_xlim(-0.5, len(shares.layers) - 0.5)
    axes.set_ylim(0, 1)
    axes.set_ylabel(title)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _name_groups(axes: Axes, shares: Shares) -> None:
    ends = np.cumsum([count for _, count in shares.groups])
    centres = (np.concatenate(([0], ends[:-1])) + ends - 1) / 2
    # The width of a letter, about 0.07 inches, in units of the axis, one to a layer.
    letter = 0.07 / WIDTH * len(shares.layers)
    rows = stagger(centres, [letter * (len(name) + 1) for name, _ in shares.groups])
    axes.set_xticks(centres, ["\n" * row + name for row, (name, _) in zip(rows, shares.groups, strict=True)])
    axes.tick_params(axis="x", length=0)
