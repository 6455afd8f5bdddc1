"""`switchseg find-rate` writes a table and a figure, and says what to try."""

import csv

import pytest

from switchseg.cli import main

CONFIG = """
model: {encoder: test_resnet_dilated8, decoder: c1, norm: sn}
data: {dataset: camvid, short_sides: [32], max_long_side: 64, workers: 0}
optim: {lr_encoder: 0.01, lr_decoder: 0.02}
train: {images_per_device: 2, threads: 1}
"""


@pytest.fixture
def arguments(tmp_path, tiny_camvid) -> list[str]:
    (tmp_path / "c.yaml").write_text(CONFIG)
    return ["find-rate", str(tmp_path / "c.yaml"), "--data.root", str(tiny_camvid), "--out", str(tmp_path / "out")]


def test_table_figure_and_suggestion(arguments, tmp_path, capsys):
    assert main([*arguments, "--rates", "12", "--lowest", "1e-3", "--highest", "0.1"]) == 0
    rows = list(csv.DictReader((tmp_path / "out" / "rates.csv").read_text().splitlines()))
    assert [float(rows[0]["rate"]), float(rows[-1]["rate"])] == pytest.approx([1e-3, 0.1])
    assert len(rows) == 12
    assert all(float(row["loss"]) > 0 and float(row["smoothed_loss"]) > 0 for row in rows)
    assert (tmp_path / "out" / "rates.svg").read_text().count("<svg") == 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["rates.csv", "rates.svg"]
    assert capsys.readouterr().out.startswith("12 rates from 0.001 to 0.1: the loss ")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--lowest", "1", "--highest", "0.1"], "--lowest"),
        (["--rates", "3"], "--rates: 3"),
        # Said before the missing data are looked for.
        (["--optim.lr-encoder", "0", "--optim.lr-decoder", "0", "--data.root", "absent"], "one above 0 was expected"),
    ],
)
def test_what_cannot_be_swept_is_refused_at_once(arguments, tmp_path, capsys, flags, words):
    assert main([*arguments, *flags]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
