import re
from dataclasses import replace

import pytest

from switchseg.reports.runs import read_runs
from switchseg.reports.sections import results


@pytest.fixture
def runs(run_folders):
    return read_runs(run_folders)


def test_differences_are_taken_to_the_first_run(runs):
    shown = re.findall(r'class="delta (?:up|down)">([+−][\d.]+)<', results.section(runs))
    expected = [
        f"{100 * (getattr(e, key) - getattr(f, key)):+.2f}".replace("-", "−")
        for run in runs[1:]
        for e, f in ((run.single, runs[0].single), (run.multi, runs[0].multi))
        for key in ("mean_iou_all_classes", "pixel_accuracy", "overall_score")
    ]
    assert shown == expected


def test_a_protocol_that_no_run_followed_has_no_columns(runs):
    markup = results.section([replace(run, multi=None) for run in runs])
    assert "Single scale" in markup
    assert "Multi-scale" not in markup
    assert results.section([replace(run, single=None, multi=None) for run in runs]) is None


def test_the_finding_names_the_best_run_and_its_lead(runs):
    best, second = runs[2].single.mean_iou_all_classes, runs[0].single.mean_iou_all_classes
    expected = (
        f"SN has the highest single-scale mIoU: {100 * best:.2f} %, {100 * (best - second):.2f} points above SyncBN."
    )
    assert results.finding(runs) == expected
    alone, occurring = f"SyncBN reaches {100 * second:.2f} % mIoU at a single scale", runs[0].single.mean_iou
    assert results.finding(runs[:1]) in (
        f"{alone}.",
        f"{alone}, {100 * occurring:.2f} % over the classes that occur.",
    )
    rare = replace(runs[0], single=replace(runs[0].single, mean_iou=0.75))
    assert results.finding([rare]) == f"{alone}, 75.00 % over the classes that occur."
    twin = replace(runs[2], label="twin")
    assert results.finding([runs[2], twin]).startswith("SN and twin share the highest single-scale mIoU")
    assert results.finding([replace(runs[0], single=None)]) == "No run has been evaluated yet."
