import re
from dataclasses import replace

import pytest

from switchseg.reports.page import report_page
from switchseg.reports.runs import read_runs
from switchseg.reports.sections import study as section
from switchseg.reports.study import collect_study
from tests.reports.make_runs import SCORES, make_studied
from tests.reports.test_page import Outline


@pytest.fixture
def runs(run_folders):
    return make_studied(read_runs(run_folders)[0])


def test_the_section_shows_scores_and_differences(runs):
    markup = section.section(runs)
    assert re.findall(r'class="score">([^<]+)<', markup) == ["–", "41.00 (1)", "39.00 ± 1.00 (3)", "41.33 ± 2.08 (3)"]
    assert re.findall(r'class="delta up">([^<]+)<', markup) == ["+2.33 ± 3.06 (2 of 3)"]
    assert section.section(runs[:1]) is None


def test_the_chart_has_a_dot_for_every_run_and_for_every_mean(runs):
    chart = section.study_chart(collect_study(runs))
    assert chart.count('class="dot raw"') == len(SCORES)
    assert chart.count('class="dot"') == 3
    assert "BN, 2 images: 39.00 ± 1.00 (3)" in chart


def test_the_finding_speaks_of_every_batch_size(runs):
    assert section.finding(collect_study(runs)) == (
        "At 1 image SN has the highest mean, 41.00 %; "
        "at 2 images SN has the highest mean, 41.33 ± 2.08 %, 2.33 points above BN."
    )


def test_nobody_leads_by_nothing_that_is_printed(runs):
    scores = [replace(run.single, mean_iou_all_classes=0.4 + index / 10**7) for index, run in enumerate(runs)]
    equal = [replace(run, single=score) for run, score in zip(runs, scores, strict=True)]
    found = section.finding(collect_study(equal))
    assert "points above" not in found
    assert re.search(r"at 2 images SN has the highest mean, 40\.00 ± 0\.00 %, as BN has\.$", found)


def test_runs_that_are_not_looked_at_closely_are_told_of(runs):
    events = {name: records for name, records in runs[-1].events.items() if name not in ("end", "scores")}
    page = report_page([*runs, replace(runs[-1], label="The stopped one", single=None, events=events)])
    assert "The stopped one was stopped or still goes on" in page


def test_the_page_of_a_study_looks_closely_at_one_run_of_each_norm(runs):
    page = report_page(runs)
    assert Outline(page).all("section")[0]["id"] == "study"
    assert page.count(": the whole config</summary>") == 2
    assert section.finding(collect_study(runs)) in page
