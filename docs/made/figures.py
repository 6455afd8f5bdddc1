"""Figures of README and docs, from the runs in docs/results."""

from pathlib import Path

from docs.made.scores import RESULTS, quickstart_runs
from switchseg.reports.figures import write_figure
from switchseg.reports.runs import read_runs

IMAGES = Path(__file__).parents[1] / "images"


def draw(folder: Path) -> list[Path]:
    """Draw all of them into `folder`, and return their paths."""
    drawn = {kind: quickstart_runs() for kind in ("curves", "shares", "classes")}
    drawn["study"] = read_runs([RESULTS / "camvid-lite0-h200"])
    for kind, runs in drawn.items():
        write_figure(kind, runs, folder / f"{kind}.svg")
    return [folder / f"{kind}.svg" for kind in drawn]
