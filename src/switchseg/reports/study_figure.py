"""The figure of a study: mIoU over the number of images per device, with its spread over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from switchseg.errors import UserError
from switchseg.reports.runs import Run
from switchseg.reports.study import Study, collect_study
from switchseg.reports.theme import line_style, run_ink

_SIZE = (4.6, 3.1)
"""Inches."""
_LEGEND = 60
"""Characters that a line of the legend has room for; each entry takes six more than its name."""
_STEP, _WIDTH = 0.1, 0.8
"""From one variant to the next and of all together, where 1 is from one batch size to the next."""


def study_figure(runs: Sequence[Run]) -> Figure:
    """Draw a line of means per norm with bars of one standard deviation over seeds, and a dot for each run.

    Raises:
        UserError: no run was evaluated.
    """
    study = collect_study(runs)
    if study is None:
        raise UserError("none of the runs was evaluated: their metrics.json is missing")
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    for index in range(len(study.variants)):
        _draw_variant(axes, study, index)
    # Places, not the numbers themselves: 1, 2, 4 and 16 images would crowd at the left.
    axes.set_xticks(range(len(study.images)), [str(images) for images in study.images])
    axes.set_xlim(-0.5, len(study.images) - 0.5)
    axes.set_xlabel("images per device")
    axes.set_title("mIoU, mean and standard deviation over seeds")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    longest = max(map(len, study.variants))
    figure.legend(loc="outside lower center", ncols=max(1, min(4, len(study.variants), _LEGEND // (longest + 6))))
    return figure


def _draw_variant(axes: Axes, study: Study, index: int) -> None:
    variant, ink = study.variants[index], run_ink(index)
    # Side by side, so that no bar hides another; many variants move closer, or they would stand at other batch sizes.
    count = len(study.variants)
    offset = min(_STEP, _WIDTH / count) * (index - (count - 1) / 2)
    found = [
        (place + offset, sample)
        for place, images in enumerate(study.images)
        if (sample := study.cells.get((variant, images))) is not None
    ]
    for across, sample in found:
        scores = list(sample.values.values())
        axes.plot([across] * len(scores), scores, ".", color=ink.light, markersize=3, alpha=0.5)
    style: Any = {"color": ink.light, "linestyle": line_style(ink), "linewidth": 1.5, "marker": "o", "markersize": 4}
    axes.errorbar(
        [across for across, _ in found],
        [sample.mean for _, sample in found],
        yerr=[0.0 if math.isnan(sample.deviation) else sample.deviation for _, sample in found],
        capsize=2.5,
        label=variant,
        **style,
    )
