import re
from dataclasses import replace

from switchseg.reports.runs import read_runs
from switchseg.reports.sections import classes


def test_the_most_frequent_class_comes_first_with_every_run_beside(run_folders):
    runs = read_runs(run_folders)
    markup = classes.section(runs)
    scores = sorted(runs[0].single.per_class, key=lambda score: -score.pixels)
    assert re.findall(r"</i>([a-z]+)</th>", markup) == [score.name for score in scores]
    best = re.search(rf"</i>{scores[0].name}</th>(.*?)</tr>", markup)[1]
    cells = re.findall(r"<td>([\d.]+)<", best)
    assert cells[1:] == [f"{100 * run.single.per_class[scores[0].index].iou:.1f}" for run in runs]
    widths = re.findall(r"width:([\d.]+)%", best)
    assert widths == ["100.0", *cells[1:]]


def test_rare_classes_are_folded_and_absent_ones_have_no_score(run_folders):
    (run,) = read_runs(run_folders[:1])
    score = run.single.per_class[0]
    many = tuple(replace(score, index=i, name=f"thing {i}", pixels=1000 - i, iou=None) for i in range(150))
    markup = classes.section([replace(run, single=replace(run.single, per_class=many), classes=None)])
    open_part, folded = markup.split("<details>")
    assert open_part.count("<td>–</td>") == classes.MOST_CLASSES
    assert folded.count("<td>–</td>") == 150 - classes.MOST_CLASSES
    assert "The 120 rarer classes" in folded
    assert classes.section([replace(run, single=None)]) is None
