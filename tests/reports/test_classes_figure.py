import pytest

from switchseg.reports.classes_figure import classes_figure
from switchseg.reports.runs import read_runs


def test_classes_stand_by_frequency_with_a_bar_for_each_run(run_folders):
    runs = read_runs(run_folders)
    left, right = classes_figure(runs).axes
    scores = sorted(runs[0].single.per_class, key=lambda score: -score.pixels)
    assert [label.get_text() for label in left.get_yticklabels()] == [score.name for score in scores]
    shares = [bar.get_width() for bar in left.patches]
    assert sum(shares) == pytest.approx(1)
    assert shares == sorted(shares, reverse=True)
    assert [len(bars) for bars in right.containers] == 3 * [len(scores)]
    assert [bar.get_width() for bar in right.containers[0]] == pytest.approx([score.iou or 0 for score in scores])
