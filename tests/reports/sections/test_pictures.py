import re
from dataclasses import replace

import numpy as np
from PIL import Image

from switchseg.labels import IGNORED
from switchseg.reports.runs import read_runs
from switchseg.reports.sections import pictures


def mean_right(runs, name: str) -> float:
    shares = []
    for run in runs:
        picture = next(p for p in run.pictures if p.name == name)
        truth, labels = np.asarray(Image.open(picture.truth)), np.asarray(Image.open(picture.labels))
        shares.append((truth == labels)[truth != IGNORED].mean())
    return float(np.mean(shares))


def test_pictures_go_from_best_to_worst_with_the_middle_folded(run_folders):
    runs = read_runs(run_folders)
    markup = pictures.section(runs)
    order = sorted((p.name for p in runs[0].pictures), key=lambda name: -mean_right(runs, name))
    shown = re.findall(r"<figcaption><strong>(\w+)</strong>", markup)
    assert shown == [order[0], order[-1], *order[1:-1]]
    assert markup.index('badge best">best') < markup.index('badge worst">worst') < markup.index("<details>")


def test_every_run_says_how_much_it_has_right(run_folders):
    runs = read_runs(run_folders)
    names = re.findall(r"<figcaption><strong>(\w+)</strong>", pictures.section(runs))
    rights = re.findall(r"([\d.]+) % right<", pictures.section(runs))
    expected = [f"{100 * mean_right([run], name):.1f}" for name in names for run in runs]
    assert rights == expected


def test_scores_of_the_whole_split_set_the_order(run_folders):
    (run,) = read_runs(run_folders[:1])
    names = [picture.name for picture in run.pictures]
    scores = {name: (index * 3 % len(names)) / 10 for index, name in enumerate(names)} | {"not kept": 0.05}
    markup = pictures.section([replace(run, image_scores=scores)])
    best, *_, worst = sorted(names, key=lambda name: -scores[name])
    assert re.findall(r"<figcaption><strong>(\w+)</strong>", markup)[:2] == [best, worst]
    assert f"best to the worst of {len(names)} images that were kept of {len(names) + 1}" in markup
    assert f"mIoU {100 * scores[best]:.1f}<" in markup
    other = replace(run, pictures=(), image_scores={f"{name} elsewhere": 0.5 for name in names})
    assert f"were kept of {2 * len(names) + 1}," in pictures.section([replace(run, image_scores=scores), other])


def test_of_many_pictures_the_ends_and_some_from_between_are_shown(run_folders, monkeypatch):
    monkeypatch.setattr(pictures, "MOST", 3)
    monkeypatch.setattr(pictures, "ENDS", 1)
    (run,) = read_runs(run_folders[:1])
    names = [picture.name for picture in run.pictures]
    scores = {name: 1 - index / 10 for index, name in enumerate(names)}
    shown = re.findall(r"<figcaption><strong>(\w+)</strong>", pictures.section([replace(run, image_scores=scores)]))
    assert shown == [names[0], names[-1], names[1]]


def test_all_runs_show_the_same_images_by_the_mean_of_their_scores(run_folders):
    first, second, _ = read_runs(run_folders)
    names = [picture.name for picture in first.pictures]
    one, other = {name: 1 - i / 10 for i, name in enumerate(names)}, {name: i / 4 for i, name in enumerate(names)}
    runs = [
        replace(first, image_scores=one),
        replace(second, image_scores=other, pictures=second.pictures[:3]),  # the last is the first run's own worst
    ]
    shown = re.findall(r"<figcaption><strong>(\w+)</strong>", pictures.section(runs))
    assert shown == [names[2], names[0], names[1]]
    apart = [replace(first, pictures=first.pictures[:1]), replace(second, pictures=second.pictures[1:2])]
    assert pictures.section(apart).count('alt="Photograph') == 2


def test_the_legend_names_every_class_that_occurs(run_folders):
    (run,) = read_runs(run_folders[:1])
    picture = run.pictures[0]
    truth, labels = np.asarray(Image.open(picture.truth)), np.asarray(Image.open(picture.labels))
    present = set(np.unique(np.concatenate([truth, labels])).tolist()) - {IGNORED}
    markup = pictures.section([replace(run, pictures=(picture,))])
    assert all(f"</i>{run.classes.names[index]}</li>" in markup for index in present)


def test_classes_without_names_are_numbered(run_folders):
    (run,) = read_runs(run_folders[:1])
    one = replace(run, classes=None, pictures=run.pictures[:1])
    markup = pictures.section([one])
    assert "class 0" in markup
    assert "badge" not in markup
    assert pictures.section([replace(run, pictures=())]) is None


def test_images_of_one_name_from_different_data_stay_apart(run_folders, tmp_path):
    first, second, _ = read_runs(run_folders)
    (own, *_), (other, *_) = first.pictures, second.pictures
    with Image.open(other.truth) as truth:
        truth.transpose(Image.Transpose.ROTATE_180).save(tmp_path / "truth.png")
    runs = [
        replace(first, pictures=(own,)),
        replace(second, pictures=(replace(other, truth=tmp_path / "truth.png"),)),
    ]
    markup = pictures.section(runs)
    assert markup.count('alt="Photograph') == 2
