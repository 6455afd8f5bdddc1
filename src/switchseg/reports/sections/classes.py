"""The scores of every class beside its frequency, and how they differ between runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from switchseg.classes import Classes
from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.runs import Run
from switchseg.reports.sections.parts import delta, line_key, swatch, titled_table
from switchseg.reports.table import DASH
from switchseg.reports.theme import run_class
from switchseg.results import ClassScore

MOST_CLASSES = 30
"""Beyond this, the table scrolls within the page."""

Scored = Sequence[tuple[int, Run]]
"""The runs that were evaluated, with their places in the report."""


def section(runs: Sequence[Run]) -> Markup | None:
    """Return one row per class, the most frequent first; None where no run was evaluated."""
    scored = [(index, run) for index, run in enumerate(runs) if run.single is not None]
    if not scored:
        return None
    share = _frequencies([run for _, run in scored])
    names = sorted(share, key=lambda name: -share[name])
    classes = next((run.classes for _, run in scored if run.classes is not None), None)
    lead = "IoU per class at a single scale in percent, the most frequent class first; a column's head sorts by it."
    if len(scored) > 1:
        lead += f" Under each: the difference to {scored[0][1].label}, in points."
    return join(tag("p", lead, class_="lead"), _table(scored, names, share, classes), _details(scored, names, classes))


def _frequencies(runs: Sequence[Run]) -> dict[str, float]:
    """Return class name -> fraction of the labelled pixels, averaged over the runs that know it."""
    found: dict[str, list[float]] = {}
    for run in runs:
        scores = run.single.per_class if run.single else ()
        # A split without a labelled pixel has shares of 0.
        total = sum(score.pixels for score in scores) or 1
        for score in scores:
            found.setdefault(score.name, []).append(score.pixels / total)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _table(scored: Scored, names: Sequence[str], share: dict[str, float], classes: Classes | None) -> Markup:
    largest = max(share.values(), default=0.0) or 1.0
    scores = [_by_name(run) for _, run in scored]
    rows = [
        tag(
            "tr",
            _row_head(name, classes),
            _bar(f"{100 * share[name]:.2f}", share[name] / largest, "frequency"),
            [
                _iou(by_name.get(name), index, scores[0].get(name) if place else None)
                for place, ((index, _), by_name) in enumerate(zip(scored, scores, strict=True))
            ],
        )
        for name in names
    ]
    heads = [tag("th", line_key(index), run.label, scope="col") for index, run in scored]
    head = tag("tr", tag("th", "Class", scope="col"), tag("th", "Share of pixels, %", scope="col"), heads)
    return titled_table("IoU per class", head, rows, "bars sortable", tall=len(names) > MOST_CLASSES)


def _details(scored: Scored, names: Sequence[str], classes: Classes | None) -> Markup:
    """Return precision and recall of every run."""
    groups = [tag("th", line_key(index), run.label, colspan=2, scope="colgroup") for index, run in scored]
    titles = [tag("th", title, scope="col") for _ in scored for title in ("Precision", "Recall")]
    head = join(tag("tr", tag("td"), groups), tag("tr", tag("th", "Class", scope="col"), titles))
    found = [_by_name(run) for _, run in scored]
    rows = [tag("tr", _row_head(name, classes), [_both(scores.get(name)) for scores in found]) for name in names]
    table = titled_table("Precision and recall per class", head, rows, "dense sortable", tall=len(names) > MOST_CLASSES)
    words = "Precision and recall per class: how much of what is predicted is right, how much of the truth is found"
    return tag("details", tag("summary", words), table)


def _by_name(run: Run) -> dict[str, ClassScore]:
    return {score.name: score for score in run.single.per_class} if run.single is not None else {}


def _both(score: ClassScore | None) -> Markup:
    # Accuracy of a class is the share of it that was found, which is its recall.
    fractions = (None, None) if score is None else (score.precision, score.accuracy)
    return join(*map(_percent, fractions))


def _row_head(name: str, classes: Classes | None) -> Markup:
    known = classes is not None and name in classes.names
    colour = swatch(classes.palette[classes.names.index(name)]) if classes is not None and known else None
    return tag("th", colour, name, scope="row")


def _percent(fraction: float | None) -> Markup:
    return tag("td", DASH if fraction is None else f"{100 * fraction:.1f}")


def _iou(score: ClassScore | None, run: int, first: ClassScore | None) -> Markup:
    if score is None or score.iou is None:
        return tag("td", DASH)
    difference = None if first is None or first.iou is None else delta(score.iou - first.iou, digits=1)
    return _bar(f"{100 * score.iou:.1f}", score.iou, run_class(run), difference)


def _bar(text: str, fraction: float, class_: str, difference: Markup | None = None) -> Markup:
    bar = tag("i", class_=f"bar {class_}", style=f"width:{100 * fraction:.1f}%")
    return tag("td", text, tag("span", bar, class_="rail"), difference, data_value=text)
