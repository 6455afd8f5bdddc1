"""The figure of classes: the IoU of each beside its share of the pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from switchseg.errors import UserError
from switchseg.reports.paper import WIDTH
from switchseg.reports.runs import Run
from switchseg.reports.theme import run_ink

MOST_CLASSES = 40


def classes_figure(runs: Sequence[Run]) -> Figure:
    """Draw the single-scale IoU of every class beside its share of the pixels, the most frequent class on top.

    Raises:
        UserError: no run was evaluated.
    """
    scored = [(index, run, run.single.per_class) for index, run in enumerate(runs) if run.single is not None]
    if not scored:
        raise UserError("none of the runs was evaluated: their metrics.json is missing")
    # The first run decides, so that all runs have the same classes in the same rows.
    chosen = sorted(scored[0][2], key=lambda score: -score.pixels)[:MOST_CLASSES]
    names = [score.name for score in chosen]
    rows = np.arange(len(names))
    figure = Figure(figsize=(WIDTH, 0.9 + 0.09 * len(names) * (len(scored) + 1)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1, 3))
    pixels = sum(score.pixels for score in scored[0][2]) or 1  # of a split without a label all shares are 0
    left.barh(rows, [score.pixels / pixels for score in chosen], color="#888888")
    left.set_title("share of pixels")
    thickness = 0.8 / len(scored)
    for place, (index, run, scores) in enumerate(scored):
        iou = {score.name: score.iou for score in scores}
        values = [iou.get(name) or 0.0 for name in names]
        right.barh(
            rows + (place + 0.5) * thickness - 0.4, values, thickness, color=run_ink(index).light, label=run.label
        )
    right.set_title("IoU")
    right.set_xlim(0, 1)
    for axes in (left, right):
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
    left.set_yticks(rows, names)
    # Upside down: bars are counted from below, a table is read from the top.
    left.set_ylim(len(names) - 0.5, -0.5)
    figure.legend(loc="outside upper right", ncols=len(scored))
    return figure
