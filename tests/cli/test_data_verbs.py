import hashlib
import json

import numpy as np
import pytest

from switchseg.cli import main
from switchseg.data.datasets import open_dataset
from tests.data.trees import picture, save, values


def write(root, choices, stems=("a", "b")):
    for number, stem in enumerate(stems):
        save(root / f"images/{stem}.jpg", picture(number, 24, 30 + number))
        save(root / f"annotations/{stem}.png", values(number, choices, 24, 30 + number))
    return root


def test_check_data_accepts_a_good_data_set(tmp_path, capsys):
    (write(tmp_path, [0, 1, 255]) / "classes.txt").write_text("road\ncar\n")
    assert main(["check-data", "--dataset", "folder", "--root", str(tmp_path), "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "2 images and labels: all can be trained on." in out
    assert "road" in out


def test_check_data_fails_where_training_would(tmp_path, capsys):
    (write(tmp_path, [0, 1, 2]) / "classes.txt").write_text("road\ncar\n")
    page = tmp_path / "page.html"
    arguments = ["check-data", "--dataset", "folder", "--root", str(tmp_path), "--html", str(page), "--workers", "2"]
    assert main(arguments) == 2
    out = capsys.readouterr().out
    assert "2 of 2 samples cannot be trained on" in out
    assert "reduce_zero_label: true" in out
    content = page.read_text()
    assert "Training would stop: 2 of 2 samples cannot be used." in content
    assert "reduce_zero_label: true" in content


def test_check_data_needs_no_class_list(tmp_path, capsys):
    write(tmp_path, [0, 1, 7])
    assert main(["check-data", "--dataset", "folder", "--root", str(tmp_path), "--workers", "1"]) == 0
    assert "class 7" in capsys.readouterr().out


def test_check_data_looks_at_all_splits(tmp_path, capsys):
    write(tmp_path, [0, 1, 255], ("train/a", "train/b", "val/a", "test/a"))
    (tmp_path / "classes.txt").write_text("road\ncar\n")
    for path in (tmp_path / "annotations/test").iterdir():
        path.unlink()
    (tmp_path / "annotations/test").rmdir()
    command = ["check-data", "--dataset", "folder", "--root", str(tmp_path), "--workers", "1"]
    assert main(command) == 0
    out = capsys.readouterr().out
    assert "splits: train 2 images, val 1 images, test 1 images without labels" in out
    assert "3 images and labels: all can be trained on." in out
    assert "belong to several images" not in out
    save(tmp_path / "annotations/val/a.png", values(0, [0, 9], 24, 32))
    assert main(command) == 2
    assert "val/a.png: label value 9" in capsys.readouterr().out
    (tmp_path / "annotations/val/a.png").unlink()
    assert main(command) == 2
    assert "val/a.jpg: an image without label" in capsys.readouterr().out
    assert main([*command, "--split", "train"]) == 0


def test_check_data_stops_where_there_is_one_class(tmp_path, capsys):
    (write(tmp_path, [0, 255]) / "classes.txt").write_text("road\ncar\n")
    assert main(["check-data", "--dataset", "folder", "--root", str(tmp_path), "--workers", "1"]) == 2
    assert "Training would stop: fewer than two classes" in capsys.readouterr().out


def test_the_page_shows_classes_and_examples(tmp_path):
    (write(tmp_path, [0, 1]) / "classes.txt").write_text("<road>\ncar\n")
    page = tmp_path / "page.html"
    main(["check-data", "--dataset", "folder", "--root", str(tmp_path), "--html", str(page), "--workers", "1"])
    content = page.read_text()
    assert "&lt;road&gt;" in content
    assert content.count("data:image/png;base64,") == content.count("data:image/jpeg;base64,") == 2
    assert "http://" not in content
    assert "https://" not in content


def test_the_page_shows_what_augmentation_does(tmp_path, capsys):
    (write(tmp_path, [0, 1]) / "classes.txt").write_text("road\ncar\n")
    page, config = tmp_path / "page.html", tmp_path / "c.yaml"
    config.write_text("data: {pipeline: augment, augment: [{name: flip}, {name: rotation, degrees: [30, 60]}]}\n")
    command = ["check-data", "--dataset", "folder", "--root", str(tmp_path), "--workers", "1"]
    assert main([*command, "--html", str(page), "--augment", str(config)]) == 0
    content = page.read_text()
    assert content.count("<figcaption>draw ") == 2 * 5
    assert "a, as stored: 30 x 24" in content
    assert main([*command, "--augment", str(config)]) == 2
    assert "--html FILE was expected" in capsys.readouterr().err
    config.write_text("data: {augment: [{name: flop}]}\n")
    assert main([*command, "--html", str(page), "--augment", str(config)]) == 2
    assert f"{config}: data.augment: there is no transform 'flop'; did you mean 'flip'?" in capsys.readouterr().err


def test_make_list_writes_what_odgt_opens(tmp_path, capsys):
    root = write(tmp_path / "data", [0, 1, 2], ("ä/one", "two"))
    assert main(["make-list", "--root", str(root), "--out", str(root / "training.odgt")]) == 0
    assert f"2 records in {root}/training.odgt" in capsys.readouterr().out
    dataset = open_dataset("odgt", root, "train")
    assert dataset.sizes().tolist() == [[24, 31], [24, 30]]
    assert sorted(dataset.read(i).name for i in range(2)) == ["two", "ä__one"]
    stored = values(0, [0, 1, 2], 24, 30)
    assert np.array_equal(dataset.read(1).label, np.where(stored == 0, 255, stored.astype(int) - 1))


def test_make_list_of_images_alone(tmp_path):
    save(tmp_path / "images/a.png", picture(0))
    assert main(["make-list", "--root", str(tmp_path), "--out", str(tmp_path / "test.odgt")]) == 0
    assert json.loads((tmp_path / "test.odgt").read_text()) == {"fpath_img": "images/a.png", "width": 30, "height": 20}


def test_make_list_names_what_is_missing(tmp_path, capsys):
    assert main(["make-list", "--root", str(tmp_path), "--out", str(tmp_path / "l.odgt")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"switchseg: error: {tmp_path}/images: no such folder")
    assert error.count("\n") == 1


def digests(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def test_make_scenes_writes_the_same_bytes_for_the_same_seed(tmp_path, capsys):
    for name, seed in (("one", "3"), ("two", "3"), ("other", "4")):
        arguments = ["make-scenes", "--out", str(tmp_path / name), "--images", "6", "--seed", seed, "--workers", "2"]
        assert main(arguments) == 0
    assert "6 training and 1 validation scenes" in capsys.readouterr().out
    one, two, other = (digests(tmp_path / name) for name in ("one", "two", "other"))
    assert one == two
    assert len(one) == 5 + 2 * 7
    assert one["annotations/training/scene_train_000000.png"] != other["annotations/training/scene_train_000000.png"]


def test_make_scenes_does_nothing_twice_and_replaces_what_is_unfinished(tmp_path):
    def make(images):
        return main(["make-scenes", "--out", str(tmp_path / "s"), "--images", str(images), "--workers", "1"])

    make(4)
    first = tmp_path / "s/images/training/scene_train_000000.jpg"
    written = first.stat().st_mtime_ns
    make(4)
    assert first.stat().st_mtime_ns == written
    make(2)
    assert len(list((tmp_path / "s/images/training").iterdir())) == 2
    assert len((tmp_path / "s/training.odgt").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--images", "0"], "--images 0: 1 or more was expected"),
        (["--seed", "-1"], "--seed -1: 0 or more was expected"),
    ],
)
def test_make_scenes_names_a_bad_flag(tmp_path, capsys, arguments, complaint):
    assert main(["make-scenes", "--out", str(tmp_path / "s"), *arguments]) == 2
    assert complaint in capsys.readouterr().err


def test_make_scenes_leaves_other_folders_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("precious")
    assert main(["make-scenes", "--out", str(tmp_path), "--images", "1"]) == 2
    assert "holds something else than generated scenes" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "precious"
