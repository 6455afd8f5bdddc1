from dataclasses import replace

import pytest

from switchseg.errors import UserError
from switchseg.reports.figures import FIGURES, write_figure
from switchseg.reports.runs import Run, read_runs


@pytest.mark.parametrize("kind", FIGURES)
@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_every_figure_is_written_in_every_format(kind, suffix, run_folders, tmp_path):
    out = tmp_path / f"figure.{suffix}"
    write_figure(kind, read_runs(run_folders), out)
    assert out.read_bytes().startswith({"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG"}[suffix])


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
