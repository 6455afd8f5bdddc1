import re
from dataclasses import replace

from switchseg.reports.runs import read_runs
from switchseg.reports.sections import classes


def test_the_most_frequent_class_comes_first_with_every_run_beside(run_folders):
    runs = read_runs(run_folders)
    markup, _ = classes.section(runs).split("<details>")
    scores = sorted(runs[0].single.per_class, key=lambda score: -score.pixels)
    assert re.findall(r"</i>([a-z]+)</th>", markup) == [score.name for score in scores]
    best = re.search(rf"</i>{scores[0].name}</th>(.*?)</tr>", markup)[1]
    cells = re.findall(r"<td[^>]*>([\d.]+)<", best)
    assert cells[1:] == [f"{100 * run.single.per_class[scores[0].index].iou:.1f}" for run in runs]
    widths = re.findall(r"width:([\d.]+)%", best)
    assert widths == ["100.0", *cells[1:]]


def test_many_classes_scroll_and_absent_ones_have_no_score(run_folders):
    (run,) = read_runs(run_folders[:1])
    score = run.single.per_class[0]
    many = tuple(replace(score, index=i, name=f"thing {i}", pixels=1000 - i, iou=None) for i in range(150))
    page = classes.section([replace(run, single=replace(run.single, per_class=many), classes=None)])
    markup, _ = page.split("<details>")
    assert markup.count("<td>–</td>") == 150
    assert 'class="scroll tall"' in markup
    assert classes.section([replace(run, single=None)]) is None


def test_each_class_shows_how_far_the_other_runs_are_from_the_first(run_folders):
    first, second = read_runs(run_folders[:2])
    name, index = first.single.per_class[2].name, 2
    row = re.search(rf"</i>{name}</th>(.*?)</tr>", classes.section([first, second]))[1]
    points = 100 * (second.single.per_class[index].iou - first.single.per_class[index].iou)
    assert re.findall(r'class="delta \w*">([^<]+)<', row) == [f"{points:+.1f}".replace("-", "−")]


def test_precision_and_recall_stand_beside_each_other_and_old_runs_have_no_precision(run_folders):
    (run,) = read_runs(run_folders[:1])
    first, second, *_ = run.single.per_class
    two = (replace(first, precision=0.818, accuracy=0.75), replace(second, precision=None, accuracy=0.5))
    markup = classes.section([replace(run, single=replace(run.single, per_class=two))])
    details = markup.split("<details>")[1]
    assert set(re.findall(r"<td>([\d.]+)</td><td>([\d.]+)</td>", details)) == {("81.8", "75.0")}
    assert set(re.findall(r"<td>–</td><td>([\d.]+)</td>", details)) == {"50.0"}
