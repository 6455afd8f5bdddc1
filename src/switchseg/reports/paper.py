"""What all figures for papers share: their width, their style, their legend, and the files that hold them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from switchseg import files

WIDTH = 7.0
"""Inches: the text width of a two-column paper."""
FORMATS = (".svg", ".pdf", ".png")

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


def save_figure(draw: Callable[[], Figure], out: Path) -> None:
    """Write what `draw` returns to `out`, in the format that its suffix names.

    Raises:
        UserError: the suffix is unknown, or whatever `draw` raises.
    """
    files.check_suffix(out, *FORMATS, choosing=True)
    suffix = out.suffix.lower().removeprefix(".")
    # The time of writing would make each file of the same runs another one.
    metadata: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[suffix]
    with rc_context(STYLE):
        figure = draw()
        with files.replacing(out) as file:
            figure.savefig(file, format=suffix, metadata=metadata)


def legend(figure: Figure, **where: Any) -> None:
    """Name everything that is drawn in any panel, once: the first panel may lack a run or a statistic."""
    found: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    figure.legend(found.values(), found.keys(), **where)
