"""Figures for papers: shares per layer, training curves, IoU per class, studies; as SVG, PDF or PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from switchseg import files
from switchseg.errors import UserError
from switchseg.reports.runs import Run
from switchseg.reports.series import Series, Shares, common_span, curve, last_shares
from switchseg.reports.share_charts import stagger
from switchseg.reports.study_figure import study_figure
from switchseg.reports.theme import STATISTICS, line_style, run_ink

WIDTH = 7.0
"""Inches: the text width of a two-column paper."""
FORMATS = ("svg", "pdf", "png")
MOST_CLASSES = 40

STYLE: Any = {
    "font.size": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "legend.frameon": False,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "savefig.dpi": 200,
    "svg.hashsalt": "switchseg",  # the same run gives the same file
}

# title, event, key, whether it is a fraction, whether a running mean is drawn over the raw line
CURVES = (
    ("training loss", "train", "loss", False, True),
    ("pixel accuracy while training", "train", "accuracy", True, True),
    ("mIoU on the evaluation split", "evaluate", "mean_iou_all_classes", True, False),
    ("learning rate of the encoder", "train", "lr.encoder", False, False),
)


def write_figure(kind: str, runs: Sequence[Run], out: Path) -> None:
    """Draw one of FIGURES into `out`, in the format that its suffix names.

    Raises:
        UserError: the kind or the suffix is unknown, or the runs lack what the figure shows.
    """
    if kind not in FIGURES:
        raise UserError(f"no figure is called {kind!r}; there are {', '.join(FIGURES)}")
    save_figure(lambda: FIGURES[kind](runs), out)


def save_figure(draw: Callable[[], Figure], out: Path) -> None:
    """Write what `draw` returns to `out`, in the format that its suffix names.

    Raises:
        UserError: the suffix is unknown, or whatever `draw` raises.
    """
    suffix = out.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise UserError(f"{out}: a figure ends in .{', .'.join(FORMATS)}")
    # The time of writing would make each file of the same runs another one.
    metadata: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[suffix]
    with rc_context(STYLE):
        figure = draw()
        with files.replacing(out) as file:
            figure.savefig(file, format=suffix, metadata=metadata)


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
    _legend(figure, loc="outside upper right", ncols=len(statistics))
    return figure


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
        _legend(figure, loc="outside upper center", ncols=len(runs))
    return figure


def _legend(figure: Figure, **where: Any) -> None:
    """Name everything that is drawn in any panel, once: the first panel may lack a run or a statistic."""
    found: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    figure.legend(found.values(), found.keys(), **where)


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


FIGURES: dict[str, Callable[[Sequence[Run]], Figure]] = {
    "shares": shares_figure,
    "curves": curves_figure,
    "classes": classes_figure,
    "study": study_figure,
}


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
