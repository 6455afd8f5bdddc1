"""`switchseg compare`: one run per combination, then the tables, the figure and the report."""

import json
import shutil

import pytest

from switchseg.cli import main

CONFIG = """
model: {encoder: resnet18_dilated8, decoder: c1_bilinear_deepsup}
data: {dataset: camvid, short_sides: [32], workers: 0}
train: {steps: 2, images_per_device: 2, log_every: 1, log_shares_every: 1, threads: 1}
evaluate: {short_sides: [32], multi_short_sides: [32, 40], pictures: 1}
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory, tiny_camvid):
    folder = tmp_path_factory.mktemp("compare")
    (folder / "c.yaml").write_text(CONFIG)
    arguments = ["compare", str(folder / "c.yaml"), "--norms", "syncbn", "gn", "sn", "--out", str(folder / "out")]
    arguments += ["--data.root", str(tiny_camvid)]
    assert main(arguments) == 0
    return folder, arguments


def test_table_and_report_hold_every_norm(compared):
    out = compared[0] / "out"
    table = json.loads((out / "table.json").read_text())
    assert [row["norm"] for row in table["rows"]] == ["syncbn", "gn", "sn"]
    markdown = (out / "table.md").read_text()
    page = (out / "report.html").read_text()
    for name in ("SyncBN", "GN", "SN"):
        assert f"| {name} |" in markdown
        assert name in page
    scores = json.loads((out / "gn" / "metrics.json").read_text())
    assert f"{100 * scores['multi']['mean_iou_all_classes']:.2f}" in markdown


def test_runs_differ_in_their_norm_alone(compared):
    configs = [(compared[0] / "out" / norm / "config.yaml").read_text() for norm in ("syncbn", "gn", "sn")]
    lines = [dict(enumerate(text.splitlines())) for text in configs]
    assert {line for line in lines[0].values()} ^ {line for line in lines[2].values()} == {
        "  norm: syncbn",
        "  norm: sn",
    }


def test_a_second_call_trains_nothing_again(compared, capsys):
    assert main(compared[1]) == 0
    output = capsys.readouterr().out
    assert output.count("complete after 2 steps") == 3
    assert "step 1/2" not in output


def test_a_run_directory_is_no_place_for_a_comparison(compared, capsys):
    run = compared[0] / "out" / "gn"
    before = sorted(run.rglob("*"))
    assert main([*compared[1], "--out", str(run)]) == 2
    assert f"{run}: is a run directory, whose report would be replaced" in capsys.readouterr().err
    assert sorted(run.rglob("*")) == before


def test_an_unknown_norm_is_said_before_anything_is_trained(compared, tmp_path, capsys):
    arguments = [*compared[1], "--norms", "sn", "xn", "--out", str(tmp_path / "none")]
    assert main(arguments) == 2
    assert "there is no norm 'xn'" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


STUDY = """
model: {encoder: resnet18_dilated8, decoder: aspp}
data: {dataset: camvid, short_sides: [32], workers: 0}
train: {steps: 1, images_per_device: 2, log_every: 1, threads: 1}
evaluate: {short_sides: [32], multi_short_sides: [], pictures: 0, extremes: 0}
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory, tiny_camvid):
    folder = tmp_path_factory.mktemp("study")
    (folder / "c.yaml").write_text(STUDY)
    arguments = ["compare", str(folder / "c.yaml"), "--norms", "bn", "gn", "--images", "1", "2", "--seeds", "3", "4"]
    return folder / "out", [*arguments, "--out", str(folder / "out"), "--data.root", str(tiny_camvid)]


def test_a_study_trains_what_can_be_trained_and_sums_it_up(study, capsys):
    out, arguments = study
    assert main(arguments) == 0
    output = capsys.readouterr().out
    for seed in (3, 4):
        assert f"bn-images1-seed{seed}: left out, it cannot be trained (model.norm bn: with" in output
    trained = {path.parent.name for path in out.glob("*/metrics.json")}
    assert trained == {f"{name}-seed{seed}" for name in ("gn-images1", "bn-images2", "gn-images2") for seed in (3, 4)}
    cells = json.loads((out / "study.json").read_text())["single"]["cells"]
    assert [(c["variant"], c["images_per_device"], sorted(c["by_seed"])) for c in cells] == [
        ("BN", 2, ["3", "4"]),
        ("GN", 1, ["3", "4"]),
        ("GN", 2, ["3", "4"]),
    ]
    assert "| images per device; minus BN | GN |" in (out / "study.md").read_text()
    assert (out / "study.md").read_text() in output
    assert (out / "study.svg").read_text().startswith("<?xml")
    assert '<section id="study"' in (out / "report.html").read_text()


def test_a_study_goes_on_where_it_was(study, capsys):
    out, arguments = study
    before = json.loads((out / "study.json").read_text())
    shutil.rmtree(out / "gn-images1-seed4")
    assert main(arguments) == 0
    output = capsys.readouterr().out
    assert output.count("complete after") == 5
    assert json.loads((out / "study.json").read_text()) == before


def test_where_nothing_can_be_trained_nothing_is_begun(study, tmp_path, capsys):
    arguments = [*study[1][:2], "--norms", "bn", "--images", "1", "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "none of the combinations can be trained" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
