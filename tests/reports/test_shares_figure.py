import numpy as np
import pytest
from PIL import Image

from switchseg.reports.figures import write_figure
from switchseg.reports.runs import read_runs
from switchseg.reports.theme import STATISTICS


def test_the_share_figure_shows_as_much_colour_as_the_shares_say(run_folders, tmp_path):
    write_figure("shares", read_runs(run_folders), tmp_path / "shares.png")
    pixels = np.asarray(Image.open(tmp_path / "shares.png").convert("RGB")).reshape(-1, 3)
    counts = {
        name: (pixels == [int(ink.light[place : place + 2], 16) for place in (1, 3, 5)]).all(1).sum()
        for name, ink in STATISTICS.items()
    }
    record = read_runs(run_folders)[2].events["shares"][-1]["layers"].values()
    expected = {s: np.mean([layer[kind][s] for layer in record for kind in ("mean", "var")]) for s in STATISTICS}
    total = sum(counts.values())
    # The legend adds the same little piece to each.
    assert {s: count / total for s, count in counts.items()} == pytest.approx(expected, abs=0.01)
