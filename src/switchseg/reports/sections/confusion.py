"""Which classes are taken for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from switchseg.reports.markup import Markup, join, tag
from switchseg.reports.runs import Run
from switchseg.reports.sections.parts import line_key, titled_table
from switchseg.reports.theme import run_class

MOST_CLASSES = 20
"""A larger matrix cannot be read; the most frequent classes are shown."""
CONFUSIONS = 5

Matrix = np.ndarray[Any, Any]


def section(runs: Sequence[Run]) -> Markup | None:
    """Return the confusion matrix of every run that has one."""
    matrices = [_of_run(index, run, run.confusion) for index, run in enumerate(runs) if run.confusion is not None]
    if not matrices:
        return None
    lead = (
        "Each row is a true class and shows in percent what its pixels were taken for; the diagonal is right. "
        "Shares under half a percent are left empty."
    )
    columns = max(min(len(run.confusion), MOST_CLASSES) for run in runs if run.confusion is not None)
    grid = tag("div", matrices, class_="matrices", style=f"--classes:{columns}")
    return join(tag("p", lead, class_="lead"), grid)


def _of_run(index: int, run: Run, matrix: Matrix) -> Markup:
    names = class_names(run, len(matrix))
    pixels = matrix.sum(axis=1)
    # Classes that do not occur have a row of zeros, not of NaN.
    share = matrix / np.maximum(pixels, 1)[:, None]
    # Back in the order of the classes, so that the matrices of several runs can be compared.
    chosen = sorted(np.argsort(-pixels, kind="stable")[:MOST_CLASSES])
    heads = [tag("th", tag("span", names[column]), scope="col") for column in chosen]
    rows = [
        tag("tr", tag("th", names[row], scope="row"), [_cell(share[row, column]) for column in chosen])
        for row in chosen
        if pixels[row]
    ]
    title = f"Confusion matrix of {run.label}"
    if len(chosen) < len(matrix):
        title += f", the {len(chosen)} most frequent of {len(matrix)} classes"
    head = tag("tr", tag("th", tag("span", "true class", class_="unseen"), scope="col"), heads)
    caption = tag("figcaption", line_key(index), tag("strong", title), class_="who")
    table = titled_table(title, head, rows, f"matrix {run_class(index)}")
    return tag("figure", caption, table, _worst(names, matrix))


def _cell(share: float) -> Markup:
    percent = round(100 * share)
    return tag("td", percent or None, style=f"--share:{percent}" if percent else None)


def _worst(names: Sequence[str], matrix: Matrix) -> Markup | None:
    """Name the confusions that cost most pixels."""
    wrong = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    order = np.argsort(-wrong, axis=None, kind="stable")[:CONFUSIONS]
    pairs = [divmod(int(flat), len(matrix)) for flat in order]
    words = [
        f"{names[truth]} as {names[found]} ({100 * wrong[truth, found] / matrix.sum():.1f} %)"
        for truth, found in pairs
        if wrong[truth, found]
    ]
    return tag("p", "Most lost pixels: ", ", ".join(words), ".", class_="note") if words else None


def class_names(run: Run, count: int) -> Sequence[str]:
    """Return the names of the run's classes, from its scores."""
    scores = run.single.per_class if run.single else ()
    return [s.name for s in scores] if len(scores) == count else [f"class {index}" for index in range(count)]
