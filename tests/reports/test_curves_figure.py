from dataclasses import replace

from switchseg.reports.curves_figure import CURVES, curves_figure
from switchseg.reports.runs import read_runs


def test_every_curve_has_a_panel_and_every_run_is_named_once(run_folders):
    figure = curves_figure(read_runs(run_folders))
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == [title for title, *_ in CURVES]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["SyncBN", "GN", "SN"]


def test_what_was_not_logged_has_no_panel(run_folders):
    run = read_runs(run_folders)[0]
    figure = curves_figure([replace(run, events={"evaluate": run.events["evaluate"]})])
    assert len(figure.axes) == 1
    assert not figure.legends
