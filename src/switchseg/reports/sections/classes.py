"""The IoU of every class beside its frequency, and which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from switchseg.classes import Classes
from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.runs import ClassScore, Run
from switchseg.reports.sections.parts import line_key, swatch, titled_table
from switchseg.reports.table import DASH
from switchseg.reports.theme import run_class

MOST_CLASSES = 30
"""Beyond this, the rarer classes are folded away."""


def section(runs: Sequence[Run]) -> Markup | None:
    """Return one row per class, the most frequent first; None where no run was evaluated."""
    scored = [(index, run) for index, run in enumerate(runs) if run.single is not None]
    if not scored:
        return None
    names = _frequencies([run for _, run in scored])
    classes = next((run.classes for _, run in scored if run.classes is not None), None)
    ordered = sorted(names, key=lambda name: -names[name])
    lead = "IoU per class at a single scale in percent, the most frequent class first."
    parts = [tag("p", lead, class_="lead"), _table(scored, ordered[:MOST_CLASSES], names, classes, "IoU per class")]
    if rare := ordered[MOST_CLASSES:]:
        more = _table(scored, rare, names, classes, "IoU of the rarer classes")
        parts.append(tag("details", tag("summary", f"The {len(rare)} rarer classes"), more))
    return join(parts)


def _frequencies(runs: Sequence[Run]) -> dict[str, float]:
    """Return class name -> fraction of the labelled pixels, averaged over the runs that know it."""
    found: dict[str, list[float]] = {}
    for run in runs:
        scores = run.single.per_class if run.single else ()
        total = sum(score.pixels for score in scores) or 1
        for score in scores:
            found.setdefault(score.name, []).append(score.pixels / total)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _table(
    scored: Sequence[tuple[int, Run]],
    names: Sequence[str],
    share: dict[str, float],
    classes: Classes | None,
    title: str,
) -> Markup:
    largest = max(share.values(), default=0.0) or 1.0
    scores = [{s.name: s for s in run.single.per_class} for _, run in scored if run.single is not None]
    rows = [
        tag(
            "tr",
            tag("th", _swatch(name, classes), name, scope="row"),
            _bar(f"{100 * share[name]:.2f}", share[name] / largest, "frequency"),
            [_iou(by_name.get(name), index) for (index, _), by_name in zip(scored, scores, strict=True)],
        )
        for name in names
    ]
    heads = [tag("th", line_key(index), run.label, scope="col") for index, run in scored]
    head = tag("tr", tag("th", "Class", scope="col"), tag("th", "Share of pixels, %", scope="col"), heads)
    return titled_table(title, head, rows, "bars")


def _iou(score: ClassScore | None, run: int) -> Markup:
    if score is None or score.iou is None:
        return tag("td", DASH)
    return _bar(f"{100 * score.iou:.1f}", score.iou, run_class(run))


def _bar(text: str, fraction: float, class_: str) -> Markup:
    bar = tag("i", class_=f"bar {class_}", style=f"width:{100 * fraction:.1f}%")
    return tag("td", text, tag("span", bar, class_="rail"))


def _swatch(name: str, classes: Classes | None) -> Markup | None:
    known = classes is not None and name in classes.names
    return swatch(classes.palette[classes.names.index(name)]) if classes is not None and known else None
