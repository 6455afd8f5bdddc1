from matplotlib.figure import Figure

from switchseg.reports.figures import write_figure
from switchseg.reports.paper import legend
from switchseg.reports.runs import read_runs


def test_the_same_runs_give_the_same_file(run_folders, tmp_path):
    for name in ("a.svg", "b.svg"):
        write_figure("shares", read_runs(run_folders), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_a_legend_names_what_is_drawn_in_any_panel_once():
    figure = Figure()
    upper, lower = figure.subplots(2)
    for axes, names in ((upper, ["a"]), (lower, ["a", "b"])):
        for name in names:
            axes.plot([0, 1], label=name)
    legend(figure)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["a", "b"]
