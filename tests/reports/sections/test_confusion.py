import re
from dataclasses import replace

import numpy as np

from switchseg.reports.runs import read_runs
from switchseg.reports.sections import confusion


def test_rows_hold_percentages_of_the_true_class(run_folders):
    (run,) = read_runs(run_folders[:1])
    matrix = np.array([[90, 10, 0], [1, 0, 3], [0, 0, 0]])
    markup = confusion.section([replace(run, confusion=matrix, single=None)])
    rows = re.findall(r'<tr><th scope="row">(class \d)</th>(.*?)</tr>', markup)
    assert [name for name, _ in rows] == ["class 0", "class 1"]  # the third never occurs
    assert re.findall(r"<td[^>]*>(\d*)</td>", rows[0][1]) == ["90", "10", ""]
    assert re.findall(r"<td[^>]*>(\d*)</td>", rows[1][1]) == ["25", "", "75"]
    assert "class 0 as class 1 (9.6 %), class 1 as class 2 (2.9 %), class 1 as class 0 (1.0 %)." in markup


def test_a_large_matrix_is_cut_to_the_most_frequent_classes(run_folders):
    (run,) = read_runs(run_folders[:1])
    markup = confusion.section([replace(run, confusion=np.diag(np.arange(1, 151)), single=None)])
    assert "the 20 most frequent of 150 classes" in markup
    assert re.findall(r'scope="row">(class \d+)', markup) == [f"class {index}" for index in range(130, 150)]
    assert "Most lost pixels" not in markup
    assert confusion.section([replace(run, confusion=None)]) is None
