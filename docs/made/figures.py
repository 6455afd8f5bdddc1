"""Figures of README and docs, from the runs in docs/results."""

from pathlib import Path

from docs.made.scores import RESULTS, quickstart_runs
from switchseg.reports.figures import write_figure
from switchseg.reports.runs import read_runs

IMAGES = Path(__file__).parents[1] / "images"


def draw(folder: Path) -> list[Path]:
    """Draw all of them into `folder`, and return their paths."""
    drawn = {kind: (kind, quickstart_runs()) for kind in ("curves", "shares", "classes")}
    drawn["study"] = "study", read_runs([RESULTS / "camvid-lite0-cpu-study"])
    drawn["study-h200"] = "study", read_runs([RESULTS / "camvid-lite0-h200"])
    for name, (kind, runs) in drawn.items():
        write_figure(kind, runs, folder / f"{name}.svg")
    return [folder / f"{name}.svg" for name in drawn]
