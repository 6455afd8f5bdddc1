"""`switchseg check-data`."""

import logging

import pytest

from switchseg.cli import main
from tests.data.trees import picture, save, values, write_pairs


def test_check_data_accepts_a_good_data_set(tmp_path, capsys):
    (write_pairs(tmp_path, [0, 1, 255]) / "classes.txt").write_text("road\ncar\n")
    assert main(["check-data", "--dataset", "folder", "--root", str(tmp_path), "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "2 images and labels: all can be trained on." in out
    assert "road" in out


def test_check_data_fails_where_training_would(tmp_path, capsys):
    (write_pairs(tmp_path, [0, 1, 2]) / "classes.txt").write_text("road\ncar\n")
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
    write_pairs(tmp_path, [0, 1, 7])
    assert main(["check-data", "--dataset", "folder", "--root", str(tmp_path), "--workers", "1"]) == 0
    assert "class 7" in capsys.readouterr().out


def test_check_data_says_how_images_and_labels_were_matched(tmp_path, capsys):
    for number in range(2):
        save(tmp_path / f"{number}_rgb.png", picture(number))
        save(tmp_path / f"{number}_gt.png", values(number, [0, 1]))
    assert main(["check-data", "--dataset", "folder", "--root", str(tmp_path), "--workers", "1"]) == 0
    assert "matched by name: images *_rgb.*, labels *_gt.*" in capsys.readouterr().out


def test_check_data_looks_at_all_splits(tmp_path, capsys):
    write_pairs(tmp_path, [0, 1, 255], ("train/a", "train/b", "val/a", "test/a"))
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
    (write_pairs(tmp_path, [0, 255]) / "classes.txt").write_text("road\ncar\n")
    assert main(["check-data", "--dataset", "folder", "--root", str(tmp_path), "--workers", "1"]) == 2
    assert "Training would stop: the labels cannot be trained on as they are read." in capsys.readouterr().out


def test_the_page_shows_classes_and_examples(tmp_path):
    (write_pairs(tmp_path, [0, 1]) / "classes.txt").write_text("<road>\ncar\n")
    page = tmp_path / "page.html"
    main(["check-data", "--dataset", "folder", "--root", str(tmp_path), "--html", str(page), "--workers", "1"])
    content = page.read_text()
    assert "&lt;road&gt;" in content
    assert content.count("data:image/png;base64,") == content.count("data:image/jpeg;base64,") == 2
    assert "http://" not in content
    assert "https://" not in content


def test_the_page_shows_what_augmentation_does(tmp_path, capsys):
    (write_pairs(tmp_path, [0, 1]) / "classes.txt").write_text("road\ncar\n")
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


@pytest.mark.parametrize("flag", ["--html", "--propose"])
def test_nothing_is_written_over_another_kind_of_file(tmp_path, capsys, flag):
    (tmp_path / "classes.txt").write_text("a\nb\n")
    command = ["check-data", "--dataset", "folder", "--root", str(tmp_path), flag, str(tmp_path / "classes.txt")]
    assert main(command) == 2
    assert "classes.txt: the name of a file to write was expected that ends in ." in capsys.readouterr().err
    assert (tmp_path / "classes.txt").read_text() == "a\nb\n"


def test_a_warning_comes_once_a_command_however_often_the_data_set_is_opened(tmp_path, capsys, monkeypatch):
    # pytest's own handlers would take the warnings; without any they are printed.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    write_pairs(tmp_path, [0, 1])
    (tmp_path / "images/notes.txt").touch()
    for rank, times in (("0", 1), ("1", 0)):  # of torchrun's processes the first tells
        monkeypatch.setenv("RANK", rank)
        main(["check-data", "--dataset", "folder", "--root", str(tmp_path), "--workers", "1"])
        assert capsys.readouterr().err.count("left out what is no image by its suffix: 1 .txt") == times
