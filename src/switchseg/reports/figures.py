"""Figures for papers: shares per layer, training curves, IoU per class, studies; as SVG, PDF or PNG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from switchseg.errors import UserError
from switchseg.reports.classes_figure import classes_figure
from switchseg.reports.curves_figure import curves_figure
from switchseg.reports.paper import save_figure
from switchseg.reports.runs import Run
from switchseg.reports.shares_figure import shares_figure
from switchseg.reports.study_figure import study_figure


def write_figure(kind: str, runs: Sequence[Run], out: Path) -> None:
    """Draw one of FIGURES into `out`, in the format that its suffix names.

    Raises:
        UserError: the kind or the suffix is unknown, or the runs lack what the figure shows.
    """
    if kind not in FIGURES:
        raise UserError(f"no figure is called {kind!r}; there are {', '.join(FIGURES)}")
    save_figure(lambda: FIGURES[kind](runs), out)


FIGURES: dict[str, Callable[[Sequence[Run]], Figure]] = {
    "shares": shares_figure,
    "curves": curves_figure,
    "classes": classes_figure,
    "study": study_figure,
}
