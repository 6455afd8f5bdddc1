from pathlib import Path

import pytest

from switchseg.cli import main
from switchseg.export.onnx import session


def test_writes_the_file_and_says_how_it_compares(
    small_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.pt2"
    assert main(["export", str(small_model), "--format", "pt2", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "normalized float32 images [N, 3, H, W] -> logits" in printed
    assert "100.0000 % equal labels" in printed
    assert out.stat().st_size > 1e6


@pytest.mark.slow
def test_int8_reports_its_cost(
    small_model: Path, tiny_camvid: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.onnx"
    data = ["--dataset", "camvid", "--root", str(tiny_camvid), "--calibration-images", "4", "--short-sides", "64"]
    assert main(["export", str(small_model), "--format", "onnx", "--int8", *data, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "% in float32, " in printed
    assert "% in int8" in printed
    assert out.stat().st_size < 0.35 * (small_model / "model.safetensors").stat().st_size
    assert session(out).get_outputs()[0].name == "logits"


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--format", "onnx", "--int8"], "--int8 needs --format onnx, --dataset and --root"),
        (["--format", "tflite"], "tflite"),
        ([], "--format"),
    ],
)
def test_mistakes(
    small_model: Path, tmp_path: Path, flags: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(small_model), *flags, "--out", str(tmp_path / "model.onnx")]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
