from pathlib import Path

import pytest

from switchseg.cli import main


def test_a_folder(small_model: Path, tiny_camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny_camvid / "val"
    code = main(["predict", str(small_model), str(folder), "--out", str(tmp_path), "--short-sides", "32"])
    assert code == 0
    assert capsys.readouterr().out.startswith(f"3 of 3 files labelled in {tmp_path} (short side 32")
    names = {path.name for path in tmp_path.iterdir()}
    stems = [path.stem for path in folder.iterdir()]
    kinds = ("labels.png", "overlay.png", "shares.json")
    assert names == {
        "legend.png",
        "predict.json",
        "predict.jsonl",
        *(f"{stem}_{kind}" for stem in stems for kind in kinds),
    }


def test_windows_say_how_much_they_show(
    small_model: Path, tiny_camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--out", str(tmp_path), "--short-sides", "128", "--window", "64", "--whole-image-statistics"]
    assert main(["predict", str(small_model), str(tiny_camvid / "val"), *flags]) == 0
    printed = capsys.readouterr().out
    assert "windows of 64 every 42, statistics of the whole image" in printed
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
    ("inputs", "says"), [([], "nothing to label"), (["*.none"], "no file matches"), (["absent.jpg"], "no such file")]
)
def test_mistakes(
    small_model: Path, tmp_path: Path, inputs: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", str(small_model), *inputs, "--out", str(tmp_path)]) == 2
    assert says in capsys.readouterr().err
