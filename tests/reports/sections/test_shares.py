import re

import pytest

from switchseg.reports.runs import read_runs
from switchseg.reports.sections import shares


def test_only_runs_that_mix_statistics_are_shown(run_folders):
    runs = read_runs(run_folders)
    markup = shares.section(runs)
    assert "SN: shares per layer after 240 steps" in markup
    assert "GN: shares" not in markup
    assert shares.section(runs[:2]) is None


def test_the_numbers_are_those_of_the_last_record(run_folders):
    run = read_runs(run_folders)[2]
    table = shares.section([run]).split("<tbody>")[1]
    layers = run.events["shares"][-1]["layers"]
    rows = re.findall(r'scope="row">([\w.]+)</th>(.*?)</tr>', table)
    assert [name for name, _ in rows] == list(layers)
    for name, cells in rows:
        expected = [100 * layers[name][kind][s] for kind in ("mean", "var") for s in ("in", "ln", "bn")]
        assert [float(cell) for cell in re.findall(r"<td>([\d.]+)", cells)] == pytest.approx(expected, abs=0.051)
