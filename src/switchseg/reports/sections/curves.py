"""What happened during training: loss, accuracy, scores on the way, learning rate and speed over steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.runs import Run
from switchseg.reports.sections.parts import line_key
from switchseg.reports.series import common_span, curve
from switchseg.reports.svg import Line, line_chart, percent_text


def number_text(value: float) -> str:
    """Write a value of an axis with the digits that it needs."""
    return f"{value:.4g}"


# title, event, key, how its axis is written, whether a running mean is drawn over the raw line
CHARTS: tuple[tuple[str, str, str, Callable[[float], str], bool], ...] = (
    ("Training loss", "train", "loss", number_text, True),
    ("Pixel accuracy while training", "train", "accuracy", percent_text, True),
    ("mIoU while training", "train", "mean_iou", percent_text, True),
    ("mIoU on the evaluation split", "evaluate", "mean_iou_all_classes", percent_text, False),
    ("Learning rate of the encoder", "train", "lr.encoder", number_text, False),
    ("Images per second", "train", "images_per_second", number_text, True),
    ("Share of time spent waiting for data", "train", "data_wait", percent_text, True),
)


def section(runs: Sequence[Run]) -> Markup | None:
    """Return one chart per quantity that any run has logged."""
    charts = [chart for entry in CHARTS if (chart := _chart(runs, *entry)) is not None]
    if not charts:
        return None
    lead = (
        "Over optimizer steps. Bold lines are running means; the pale ones behind them are the values as logged. "
        "Point at a chart, or focus it and use the arrow keys, to read values."
    )
    return join(tag("p", lead, class_="lead"), legend(runs), tag("div", charts, class_="charts"))


def legend(runs: Sequence[Run]) -> Markup | None:
    """Name the line of each run, where there are several."""
    if len(runs) == 1:
        return None
    entries = [tag("li", line_key(index), run.label) for index, run in enumerate(runs)]
    return tag("ul", entries, class_="legend", aria_label="Runs")


def _chart(
    runs: Sequence[Run], title: str, event: str, key: str, text: Callable[[float], str], noisy: bool
) -> Markup | None:
    lines = [Line(run.label, i, series) for i, run in enumerate(runs) if len(series := curve(run, event, key))]
    if not lines:
        return None
    ends = "; ".join(f"{line.label}: {text(float(line.series.values[-1]))}" for line in lines)
    smooth = common_span([line.series for line in lines]) if noisy else 0.0
    drawing = line_chart(f"{title} over steps. Last values: {ends}.", lines, text, smooth=smooth)
    return tag("figure", tag("figcaption", title, tag("output", aria_live="polite")), drawing)
