"""How much of IN, LN and BN every layer uses at the end of the training, and on the way there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.runs import Run
from switchseg.reports.sections.parts import scrolling, titled_table
from switchseg.reports.series import Shares, shares_over_time, spread
from switchseg.reports.share_charts import mixture_text, share_areas, share_bars
from switchseg.reports.svg import MOST_POINTS

NAMES = {"in": "instance", "ln": "layer", "bn": "batch"}


def section(runs: Sequence[Run]) -> Markup | None:
    """Return the shares of the runs that mix statistics; None where none does."""
    found = [(run, history) for run in runs if (history := shares_over_time(run))]
    if not found:
        return None
    statistics = list(dict.fromkeys(name for _, history in found for name in history[-1][1].statistics))
    lead = (
        "Every layer mixes the moments of instance, layer and batch normalization by learned weights. "
        "One column is one layer, from the input on the left to the output on the right."
    )
    keys = [tag("li", tag("i", class_=f"swatch s-{s}"), f"{s.upper()} ({NAMES[s]})") for s in statistics]
    return join(
        tag("p", lead, class_="lead"),
        tag("ul", keys, class_="legend", aria_label="Statistics"),
        [_of_run(run, history) for run, history in found],
    )


def _of_run(run: Run, history: Sequence[tuple[int, Shares]]) -> Markup:
    step, shares = history[-1]
    summary = "; ".join(f"{kind} {mixture_text(shares.statistics, v.mean(0))}" for kind, v in shares.kinds.items())
    description = f"{run.label}: shares per layer after {step} steps. On average: {summary}."
    drawing = scrolling(share_bars(shares, description), f"Shares per layer of {run.label}")
    bars = tag("figure", tag("figcaption", description), drawing)
    return join(bars, _over_time(run, history), _numbers(run, shares))


def _over_time(run: Run, history: Sequence[tuple[int, Shares]]) -> Markup | None:
    # Records of other statistics cannot be stacked with the last ones.
    same = [(step, shares) for step, shares in history if shares.statistics == history[-1][1].statistics]
    if len(same) < 2:
        return None
    same = [same[index] for index in spread(len(same), MOST_POINTS)]
    steps, statistics = [step for step, _ in same], same[-1][1].statistics
    figures = []
    for kind in same[-1][1].kinds:
        values = np.array([shares.kinds[kind].mean(0) for _, shares in same])
        title = f"{run.label}: {kind} over steps, averaged over the layers"
        description = f"{title}. At the end {mixture_text(statistics, values[-1])}."
        figures.append(tag("figure", tag("figcaption", title), share_areas(steps, statistics, values, description)))
    return tag("div", figures, class_="charts")


def _numbers(run: Run, shares: Shares) -> Markup:
    groups = [tag("th", kind, colspan=len(shares.statistics), scope="colgroup") for kind in shares.kinds]
    titles = [tag("th", name.upper(), scope="col") for _ in shares.kinds for name in shares.statistics]
    rows = [
        tag(
            "tr",
            tag("th", layer, scope="row"),
            [tag("td", f"{100 * share:.1f}") for values in shares.kinds.values() for share in values[index]],
        )
        for index, layer in enumerate(shares.layers)
    ]
    head = join(tag("tr", tag("th", "Layer", rowspan=2, scope="col"), groups), tag("tr", titles))
    table = titled_table(f"Shares per layer of {run.label} in percent", head, rows, "dense", tall=True)
    return tag("details", tag("summary", f"{run.label}: the same in numbers"), table)
