import json
from dataclasses import replace

from switchseg.reports.page import report_page
from switchseg.reports.runs import read_runs
from switchseg.reports.table import INCOMPARABLE, results_table
from tests.reports.make_runs import make_run


def test_markdown_has_one_row_per_run_and_the_best_scores_in_bold(run_folders):
    runs = read_runs(run_folders)
    head, rule, *rows = results_table(runs).to_markdown().split("\n\n")[0].splitlines()
    assert head.count("|") == rule.count("|") == 8
    assert [row.split("|")[1].strip() for row in rows] == ["SyncBN", "GN", "SN"]
    cells = [cell.strip() for cell in rows[2].split("|")[2:-1]]
    evaluations = (runs[2].single, runs[2].multi)
    scores = [s for e in evaluations for s in (e.mean_iou_all_classes, e.pixel_accuracy, e.overall_score)]
    assert cells == [f"**{100 * score:.2f}**" for score in scores]


def test_the_rule_and_the_scales_are_named(run_folders):
    note = results_table(read_runs(run_folders)).to_markdown().split("\n\n")[1]
    assert "2018 rule" in note
    assert "Single scale: short side 240 pixels." in note
    assert "Multi scale: short side 180 240 300 pixels." in note


def test_json_holds_fractions(run_folders):
    runs = read_runs(run_folders)
    entry = results_table(runs).to_json()["rows"][0]
    assert entry["norm"] == "syncbn"
    assert entry["single"]["overall_score"] == runs[0].single.overall_score
    assert entry["multi"]["short_sides"] == [180, 240, 300]


def test_scores_that_are_not_there_are_dashes(run_folders):
    first, second, _ = read_runs(run_folders)
    table = results_table([first, replace(second, single=None, multi=None)])
    assert table.to_markdown().splitlines()[3] == "| GN |" + " – |" * 6
    assert table.to_json()["rows"][1]["single"] is None
    assert results_table([]).rows == ()


def test_a_single_run_has_no_best(run_folders):
    assert "**" not in results_table(read_runs(run_folders[:1])).to_markdown()


def test_runs_of_different_data_are_not_ranked(tmp_path):
    runs = [make_run(tmp_path / norm, norm, images=1) for norm in ("gn", "sn")]
    metrics = json.loads((runs[1] / "metrics.json").read_text())
    metrics["single"]["per_class"][0]["pixels"] += 1
    (runs[1] / "metrics.json").write_text(json.dumps(metrics))
    table = results_table(read_runs(runs))
    assert not table.comparable
    assert table.best("single", "mean_iou_all_classes") is None
    assert "**" not in table.to_markdown()
    assert INCOMPARABLE in table.to_markdown()
    assert table.to_json()["comparable"] is False
    page = report_page(read_runs(runs))
    assert f'class="finding">{INCOMPARABLE}' in page
    assert "has the highest" not in page
