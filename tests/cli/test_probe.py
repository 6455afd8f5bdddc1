"""`switchseg probe` says which norm to take, and writes all that speaks for it."""

import json
import re

import pytest

from switchseg.cli import main

CONFIG = """
model: {encoder: test_resnet_dilated8, decoder: ppm, norm: bn}
data: {dataset: camvid, short_sides: [32], max_long_side: 64, workers: 0}
optim: {lr_encoder: 0.01, lr_decoder: 0.01}
train: {images_per_device: 2, threads: 1, device: cpu}
evaluate: {short_sides: [32]}
"""


@pytest.fixture
def arguments(tmp_path, tiny_camvid) -> list[str]:
    (tmp_path / "c.yaml").write_text(CONFIG)
    return ["probe", str(tmp_path / "c.yaml"), "--data.root", str(tiny_camvid), "--out", str(tmp_path / "out")]


@pytest.mark.slow
def test_tables_answer_and_file(arguments, tmp_path, capsys):
    # The time is enough for more than the config's own length.
    flags = ["--images", "1", "--minutes", "60", "--train.steps", "2", "--seeds", "5", "6"]
    assert main([*arguments, *flags]) == 0
    told = capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "probe.json").read_text())
    norm = found["verdict"]["norm"]
    assert f"take {norm}" in told
    assert found["verdict"]["reason"] in told
    assert f"--model.norm {norm}" in told
    assert "6 trainings of 2 steps, 1 images a device: gn, in, sn" in told
    # The pyramid pools one image to single values.
    assert "bn was left out: model.norm bn: with train.images_per_device 1" in told
    assert [(each["norm"], each["seed"]) for each in found["results"]] == [
        (norm, seed) for seed in (5, 6) for norm in ("gn", "in", "sn")
    ]
    assert found["images_per_device"] == 1
    assert found["shares"].keys() >= {"encoder 1/4", "decoder", "all"}
    assert found["seconds_per_step"].keys() == {"gn", "in", "sn"}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--images", "0"], "--images 0: 1 or more were expected"),
        (["--steps", "0"], "--steps 0: 1 or more were expected"),
        (["--minutes", "nan"], "--minutes nan: above 0 was expected"),
        (["--seeds", "7"], "--seeds 7: two or more different ones"),
    ],
)
def test_a_bad_flag_is_named(arguments, tmp_path, capsys, flags, words):
    assert main([*arguments, *flags]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_time_that_is_too_short_is_refused(arguments, tmp_path, capsys):
    assert main([*arguments, "--minutes", "1e-6"]) == 2
    assert re.search(
        r"--minutes: less than 20 steps .* at least \d+ minutes were expected here", capsys.readouterr().err
    )
    assert not (tmp_path / "out").exists()
