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
    assert f"best to the worst of all {len(names) + 1} images" in markup
    assert f"mIoU {100 * scores[best]:.1f}<" in markup


def test_of_many_pictures_the_ends_and_those_of_all_runs_are_shown(run_folders, monkeypatch):
    monkeypatch.setattr(pictures, "MOST", 3)
    monkeypatch.setattr(pictures, "ENDS", 1)
    first, second, _ = read_runs(run_folders)
    names = [picture.name for picture in first.pictures]
    scores = {name: 1 - index / 10 for index, name in enumerate(names)}
    kept = [picture for picture in second.pictures if picture.name == names[2]]
    runs = [replace(first, image_scores=scores), replace(second, image_scores=scores, pictures=tuple(kept))]
    shown = re.findall(r"<figcaption><strong>(\w+)</strong>", pictures.section(runs))
    assert shown == [names[0], names[-1], names[2]]


def test_runs_that_kept_different_pictures_stand_side_by_side_where_they_can(run_folders):
    first, second, _ = read_runs(run_folders)
    markup = pictures.section(
        [replace(first, pictures=first.pictures[:2]), replace(second, pictures=second.pictures[1:3])]
    )
    assert markup.count("Classes predicted by SyncBN") == 2
    assert markup.count("Classes predicted by GN") == 2
    assert markup.count('alt="Photograph') == 3


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
