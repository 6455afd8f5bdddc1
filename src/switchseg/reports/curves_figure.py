"""The figure of training curves: loss, accuracy, mIoU and learning rate over steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from switchseg.errors import UserError
from switchseg.reports.paper import WIDTH, legend
from switchseg.reports.runs import Run
from switchseg.reports.series import curve
from switchseg.reports.theme import line_style, run_ink

# title, event, key, whether it is a fraction, whether a running mean is drawn over the raw line
CURVES = (
    ("training loss", "train", "loss", False, True),
    ("pixel accuracy while training", "train", "accuracy", True, True),
    ("mIoU on the evaluation split", "evaluate", "mean_iou_all_classes", True, False),
    ("learning rate of the encoder", "train", "lr.encoder", False, False),
)


def curves_figure(runs: Sequence[Run]) -> Figure:
    """Draw loss, accuracy, mIoU on the evaluation split and learning rate over steps, as far as they were logged.

    Raises:
        UserError: nothing was.
    """
    panels = [entry for entry in CURVES if any(len(curve(run, *entry[1:3])) for run in runs)]
    if not panels:
        raise UserError("none of the runs has logged a step of training yet")
    # Rounded up: two panels to a row.
    rows = -(-len(panels) // 2)
    figure = Figure(figsize=(WIDTH, 2.3 * rows + 0.3), layout="constrained")
    for place, (title, event, key, fraction, noisy) in enumerate(panels):
        axes = figure.add_subplot(rows, min(2, len(panels)), place + 1)
        for index, run in enumerate(runs):
            _draw_curve(axes, run, index, (event, key), noisy)
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        if fraction:
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    if len(runs) > 1:
        legend(figure, loc="outside upper center", ncols=len(runs))
    return figure


def _draw_curve(axes: Axes, run: Run, index: int, key: tuple[str, str], noisy: bool) -> None:
    series, ink = curve(run, *key), run_ink(index)
    if not len(series):
        return
    style: Any = line_style(ink)
    if noisy:
        axes.plot(series.steps, series.values, color=ink.light, linewidth=0.5, alpha=0.35)
        series = series.smoothed(max(1, len(series) // 20))
    marker = "o" if len(series) == 1 else None
    axes.plot(
        series.steps, series.values, color=ink.light, linewidth=1.5, linestyle=style, marker=marker, label=run.label
    )
