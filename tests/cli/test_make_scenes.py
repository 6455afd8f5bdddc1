"""`switchseg make-scenes`."""

import hashlib

import pytest

from switchseg.cli import main


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
    def make(images, *flags):
        return main(["make-scenes", "--out", str(tmp_path / "s"), "--images", str(images), "--workers", "1", *flags])

    make(4)
    first = tmp_path / "s/images/training/scene_train_000000.jpg"
    written = first.stat().st_mtime_ns
    make(4)
    assert first.stat().st_mtime_ns == written
    make(2)
    assert len(list((tmp_path / "s/images/training").iterdir())) == 2
    assert len((tmp_path / "s/training.odgt").read_text().splitlines()) == 2
    ordinary = first.read_bytes()
    make(2, "--style-spread", "4")
    assert first.read_bytes() != ordinary


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--images", "0"], "--images 0: 1 or more was expected"),
        (["--seed", "-1"], "--seed -1: 0 or more was expected"),
        (["--style-spread", "nan"], "--style-spread nan: a number from 0 to 10 was expected"),
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
