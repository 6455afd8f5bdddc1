from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from switchseg.errors import UserError
from switchseg.reports.figures import FIGURES, write_figure
from switchseg.reports.runs import Run, read_runs
from switchseg.reports.theme import STATISTICS


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_every_figure_is_written_in_every_format(kind, suffix, run_folders, tmp_path):
    out = tmp_path / f"figure.{suffix}"
    write_figure(kind, read_runs(run_folders), out)
    assert out.read_bytes().startswith({"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}[suffix])


def test_the_same_runs_give_the_same_file(run_folders, tmp_path):
    for name in ("a.svg", "b.svg"):
        write_figure("shares", read_runs(run_folders), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


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


def test_runs_without_what_a_figure_shows_are_refused(run_folders, tmp_path):
    first = read_runs(run_folders)[0]
    for kind, run, message in (
        ("shares", first, "logged shares"),
        ("curves", Run(path=tmp_path, label="x"), "logged a step"),
        ("classes", replace(first, single=None), "metrics.json"),
        ("study", replace(first, single=None), "metrics.json"),
    ):
        with pytest.raises(UserError, match=message):
            write_figure(kind, [run], tmp_path / "x.svg")
    assert not (tmp_path / "x.svg").exists()


@pytest.mark.parametrize(("kind", "name"), [("pie", "a.svg"), ("curves", "a.gif"), ("curves", "a")])
def test_unknown_kinds_and_suffixes_are_refused(kind, name, run_folders, tmp_path):
    with pytest.raises(UserError, match=r"there are shares|ends in \.svg"):
        write_figure(kind, read_runs(run_folders), tmp_path / name)
