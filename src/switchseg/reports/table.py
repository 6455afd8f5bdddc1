"""The results table of the 2018 README: one row per run, single-scale and multi-scale scores side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from switchseg.reports.evaluations import Evaluation
from switchseg.reports.runs import Run

RULE = (
    "Scores in percent. mIoU by the 2018 rule: the mean over all classes, where a class that occurs neither in the "
    "truth nor in the prediction counts 0; overall score = (pixel accuracy + mIoU) / 2."
)

INCOMPARABLE = "The runs were not scored on the same data, so none of them is ranked."

# key in `evaluate --json` -> column title
COLUMNS = {"mean_iou_all_classes": "mIoU", "pixel_accuracy": "pixel accuracy", "overall_score": "overall score"}


@dataclass(frozen=True)
class Row:
    """The scores of one run; an evaluation that was not made is None."""

    label: str
    norm: str
    path: str
    single: Evaluation | None
    multi: Evaluation | None

    def evaluation(self, scales: str) -> Evaluation | None:
        """Return the evaluation at "single" or "multi" scale."""
        return self.single if scales == "single" else self.multi

    def score(self, scales: str, key: str) -> float | None:
        """Return a score as a fraction; `scales` is "single" or "multi", `key` one of COLUMNS."""
        evaluation = self.evaluation(scales)
        return None if evaluation is None else float(getattr(evaluation, key))


@dataclass(frozen=True)
class Table:
    """The rows in the order in which the runs were given."""

    rows: tuple[Row, ...]

    @property
    def comparable(self) -> bool:
        """Whether all runs were scored on the same data; scores of different data rank nothing."""
        return len({e.data for row in self.rows if (e := row.single or row.multi) is not None}) <= 1

    def best(self, scales: str, key: str) -> float | None:
        """Return the highest score of a column; None where its scores cannot be compared."""
        if not self.comparable:
            return None
        return max((s for row in self.rows if (s := row.score(scales, key)) is not None), default=None)

    def short_sides(self, scales: str) -> str:
        """Name the short sides in pixels that a half of the table was made at, with flips where they were used."""
        found = dict.fromkeys(_protocol(e) for row in self.rows if (e := row.evaluation(scales)) is not None)
        return " or ".join(found)

    def to_markdown(self) -> str:
        """Return the table for a README, best scores in bold, with the rule and the scales under it."""
        titles = [f"{scales}-scale {title}" for scales in ("single", "multi") for title in COLUMNS.values()]
        lines = [_markdown_row("norm", *titles), "|---|" + "---:|" * len(titles)]
        for row in self.rows:
            cells = [self._cell(row, scales, key) for scales in ("single", "multi") for key in COLUMNS]
            lines.append(_markdown_row(row.label, *cells))
        notes = [RULE]
        notes += [
            f"{scales.capitalize()} scale: short side {sides} pixels."
            for scales in ("single", "multi")
            if (sides := self.short_sides(scales))
        ]
        if not self.comparable:
            notes.append(INCOMPARABLE)
        return "\n".join(lines) + "\n\n" + " ".join(notes) + "\n"

    def to_json(self) -> dict[str, Any]:
        """Return the rule and the rows, scores as fractions under the keys of `evaluate --json`."""
        return {"rule": RULE, "comparable": self.comparable, "rows": [_row_json(row) for row in self.rows]}

    def _cell(self, row: Row, scales: str, key: str) -> str:
        score = row.score(scales, key)
        text = percent(score)
        # Compared as they are shown: of two scores that look equal, both are the best.
        return f"**{text}**" if len(self.rows) > 1 and text == percent(self.best(scales, key)) != DASH else text


def results_table(runs: Iterable[Run]) -> Table:
    """Collect the scores of `runs`, one row each."""
    return Table(tuple(Row(run.label, run.norm, str(run.path), run.single, run.multi) for run in runs))


DASH = "–"


def percent(fraction: float | None) -> str:
    """Write a fraction in percent with two decimals, and a dash where there is none."""
    return DASH if fraction is None else f"{100 * fraction:.2f}"


def _protocol(evaluation: Evaluation) -> str:
    return " ".join(map(str, evaluation.short_sides)) + (" with flips" if evaluation.flip else "")


def _markdown_row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "run": row.label,
        "norm": row.norm,
        "path": row.path,
        **{scales: _scores_json(row.evaluation(scales)) for scales in ("single", "multi")},
    }


def _scores_json(evaluation: Evaluation | None) -> dict[str, Any] | None:
    if evaluation is None:
        return None
    scores = {key: getattr(evaluation, key) for key in COLUMNS}
    return {**scores, "short_sides": list(evaluation.short_sides), "flip": evaluation.flip, "images": evaluation.images}
