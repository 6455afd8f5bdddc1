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
from switchseg.reports.series import Series, common_span, curve
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
        lines = [curve(run, event, key) for run in runs]
        span = common_span([line for line in lines if len(line)]) if noisy else None
        for index, (run, line) in enumerate(zip(runs, lines, strict=True)):
            _draw_curve(axes, run, index, line, span)
        axes.set_title(title)
        axes.set_xlabel("step")
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        if fraction:
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    if len(runs) > 1:
        legend(figure, loc="outside upper center", ncols=len(runs))
    return figure


def _draw_curve(axes: Axes, run: Run, index: int, series: Series, span: float | None) -> None:
    """Draw a line, under its running mean over `span` steps if there is one."""
    if not len(series):
        return
    ink = run_ink(index)
    style: Any = line_style(ink)
    if span is not None:
        axes.plot(series.steps, series.values, color=ink.light, linewidth=0.5, alpha=0.35)
        series = series.smoothed(span)
    marker = "o" if len(series) == 1 else None
    axes.plot(
        series.steps, series.values, color=ink.light, linewidth=1.5, linestyle=style, marker=marker, label=run.label
    )
