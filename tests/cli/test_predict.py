import json
from pathlib import Path

import pytest

from switchseg.cli import main


def test_a_folder(small_model: Path, tiny_camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny_camvid / "val"
    code = main(["predict", str(small_model), str(folder), "--out", str(tmp_path), "--short-sides", "32"])
    assert code == 0
    assert capsys.readouterr().out.startswith(f"3 of 3 files labelled in {tmp_path} (short side 32")
    assert main(["predict", str(small_model), str(folder), "--out", str(tmp_path), "--short-sides", "32"]) == 0
    assert capsys.readouterr().err == "predict: nothing had to be done, all 3 files were finished before\n"
    names = {path.name for path in tmp_path.iterdir()}
    stems = [path.stem for path in folder.iterdir()]
    kinds = ("labels.png", "overlay.png", "shares.json")
    assert names == {
        "legend.png",
        "predict.json",
        "predict.jsonl",
        *(f"{stem}_{kind}" for stem in stems for kind in kinds),
    }


def test_a_threshold_says_how_much_is_foreground(
    two_class_model: Path, tiny_camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = next((tiny_camvid / "val").iterdir())
    shares = {}
    for threshold in ("0", "0.5", "1"):
        flags = ["--out", str(tmp_path / threshold), "--short-sides", "32", "--threshold", threshold]
        assert main(["predict", str(two_class_model), str(image), *flags]) == 0
        assert f"foreground where its probability is at least {threshold})" in capsys.readouterr().out
        shares[threshold] = json.loads((tmp_path / threshold / f"{image.stem}_shares.json").read_text())
    assert (shares["0"], shares["1"]) == ({"crack": 1.0}, {"background": 1.0})
    assert main(["predict", str(two_class_model), str(image), "--out", str(tmp_path), "--short-sides", "32"]) == 0
    assert json.loads((tmp_path / f"{image.stem}_shares.json").read_text()) == shares["0.5"]


def test_a_threshold_for_many_classes_is_refused(
    small_model: Path, tiny_camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(small_model), str(tiny_camvid / "val"), "--out", str(tmp_path / "out"), "--threshold", "0.5"]
    assert main(["predict", *arguments]) == 2
    assert "a threshold is for two classes, background and foreground; the model has 11" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_windows_say_how_much_they_show(
    small_model: Path, tiny_camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--out", str(tmp_path), "--short-sides", "128", "--window", "64", "--whole-image-statistics"]
    assert main(["predict", str(small_model), str(tiny_camvid / "val"), *flags]) == 0
    printed = capsys.readouterr().out
    assert "windows of 64 every 42 (rounded up to the network's stride), statistics of the whole image" in printed
    assert "of neighbouring pixels differ where windows meet" in printed


def test_a_bad_file_is_one_line_and_exit_code_2(
    small_model: Path, tiny_camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    good = next((tiny_camvid / "val").iterdir())
    flags = ["--out", str(tmp_path / "out"), "--short-sides", "32"]
    assert main(["predict", str(small_model), str(tmp_path / "bad.jpg"), str(good), *flags]) == 2
    captured = capsys.readouterr()
    assert f"{tmp_path / 'bad.jpg'}: not an image file" in captured.err
    assert captured.out.startswith("1 of 2 files labelled")
    assert (tmp_path / "out" / f"{good.stem}_labels.png").is_file()


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ([], "nothing to label"),
        (["*.none"], "no file matches"),
        (["absent.jpg"], "absent.jpg: no such file\n"),
        (["absent.jpg", "away.tif"], "absent.jpg: no such file (nor any of the other 1)"),
    ],
)
def test_mistakes(
    small_model: Path, tmp_path: Path, inputs: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(small_model), *inputs, "--out", str(tmp_path / "out")]) == 2
    assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
