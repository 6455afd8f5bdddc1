import re

import pytest

from switchseg.reports.runs import read_runs
from switchseg.reports.sections import setup


def test_the_differences_are_shown_and_equal_configs_are_said_to_be(run_folders):
    runs = read_runs(run_folders)
    differences = setup.section(runs).split("</table>")[0]
    assert re.findall(r'scope="row">([^<]+)', differences) == ["model.norm"]
    assert "The configs of the runs are equal." in setup.section([runs[0], runs[0]])
    assert "differ" not in setup.section(runs[:1])


def test_environment_and_time_are_those_of_the_log(run_folders):
    markup = setup.section(read_runs(run_folders[:1]))
    facts = dict(re.findall(r'scope="row">([^<]+)</th><td>([^<]+)', markup))
    assert facts["State"] == "finished, 240 of 240 steps"
    assert facts["Time at work"] == "4 min 0 s"
    assert facts["Torch"] == "2.14.1"
    assert not any("_" in fact for fact in facts)
    assert facts["Parameters"] == "12\u2009345\u2009678"
    assert facts["Evaluation, single scale"] == "12 s for 4 images"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.44, "0.4 s"),
        (9.6, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (7260, "2 h 1 min"),
    ],
)
def test_durations_are_written_in_the_units_that_matter(seconds, text):
    assert setup.duration(seconds) == text
