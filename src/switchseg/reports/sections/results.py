"""The results table with each run's difference to the first, and the one sentence that sums it up."""

from __future__ import annotations

from collections.abc import Sequence

from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.runs import Run
from switchseg.reports.sections.parts import delta, line_key, titled_table
from switchseg.reports.table import COLUMNS, DASH, INCOMPARABLE, RULE, Row, Table, percent, results_table

SCALES = {"single": "Single scale", "multi": "Multi-scale"}


def section(runs: Sequence[Run]) -> Markup | None:
    """Return the table; None where no run was evaluated yet."""
    table = results_table(runs)
    scales = [name for name in SCALES if table.short_sides(name)]
    if not scales:
        return None
    caption = "Scores on the evaluation split."
    if not table.comparable:
        caption += f" {INCOMPARABLE}"
    elif len(runs) > 1:
        caption += f" Under each score: its difference to {runs[0].label}, in points. The best of a column is bold."
    results = titled_table("Results", _head(table, scales), _rows(table, scales), "results")
    return join(tag("p", caption, class_="lead"), results, tag("p", RULE, class_="note"))


def finding(runs: Sequence[Run]) -> str:
    """Say in one sentence which run scores best, with its distance to the next."""
    table = results_table(runs)
    scored = [
        (score, row.label) for row in table.rows if (score := row.score("single", "mean_iou_all_classes")) is not None
    ]
    if not scored:
        return "No run has been evaluated yet."
    if not table.comparable:
        return INCOMPARABLE
    (best, label), *others = sorted(scored, key=lambda pair: -pair[0])
    if not others:
        (occurring,) = (s for row in table.rows if (s := row.score("single", "mean_iou")) is not None)
        # What a training says of itself.
        rest = f", {percent(occurring)} % over the classes that occur" if percent(occurring) != percent(best) else ""
        return f"{label} reaches {percent(best)} % mIoU at a single scale{rest}."
    second, runner_up = others[0]
    # As shown: a lead of 0.00 points is none.
    if percent(best) == percent(second):
        return f"{label} and {runner_up} share the highest single-scale mIoU, {percent(best)} %."
    lead = percent(best - second)
    return f"{label} has the highest single-scale mIoU: {percent(best)} %, {lead} points above {runner_up}."


def _head(table: Table, scales: Sequence[str]) -> Markup:
    sides = {name: f"short side {table.short_sides(name)}" for name in scales}
    groups = [
        tag("th", SCALES[name], tag("span", sides[name], class_="sub"), colspan=len(COLUMNS), scope="colgroup")
        for name in scales
    ]
    titles = [
        tag("th", title, scope="col", class_="first" if title == "mIoU" else None)
        for _ in scales
        for title in COLUMNS.values()
    ]
    return join(tag("tr", tag("th", "Run", rowspan=2, scope="col"), groups), tag("tr", titles))


def _rows(table: Table, scales: Sequence[str]) -> list[Markup]:
    return [
        tag(
            "tr",
            tag("th", line_key(index), row.label, scope="row"),
            [_cell(table, row, name, key) for name in scales for key in COLUMNS],
        )
        for index, row in enumerate(table.rows)
    ]


def _cell(table: Table, row: Row, scales: str, key: str) -> Markup:
    score = row.score(scales, key)
    first = table.rows[0].score(scales, key) if table.comparable else None
    text = percent(score)
    best = len(table.rows) > 1 and text == percent(table.best(scales, key)) != DASH
    classes = " ".join(name for name, wanted in (("best", best), ("first", key == "mean_iou_all_classes")) if wanted)
    return tag(
        "td", tag("span", text, class_="score"), _delta(score, first, row is table.rows[0]), class_=classes or None
    )


def _delta(score: float | None, first: float | None, is_first: bool) -> Markup | None:
    if is_first or score is None or first is None:
        return None
    return join(" ", delta(score - first))
