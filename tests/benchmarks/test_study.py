import time

import pytest

from benchmarks.study import PARTS, Part, jobs_of, run_jobs
from switchseg.config import yaml
from switchseg.config.schema import RunConfig
from switchseg.reports.runs import read_runs

CONFIG = """
model: {encoder: resnet18, decoder: aspp}
data: {dataset: camvid, short_sides: [32], workers: 0}
train: {steps: 1, images_per_device: 2, device: cpu, threads: 1}
evaluate: {short_sides: [32], multi_short_sides: [], pictures: 1}
"""


@pytest.fixture
def part(tmp_path) -> Part:
    (tmp_path / "c.yaml").write_text(CONFIG)
    return Part(tmp_path / "c.yaml", ("bn", "gn"), 100, images=(1,), seeds=(3,), variants={"aspp": {}})


def test_runs_leave_what_a_study_reads(part, tiny_camvid, tmp_path, capsys):
    jobs = jobs_of(part, tmp_path / "out", {"data.root": str(tiny_camvid)})
    assert run_jobs(jobs, 2, time.monotonic() + 100) == 0
    told = capsys.readouterr().out
    assert "aspp-bn-images1-seed3: left out, it cannot be trained (model.norm bn: with" in told
    assert "out/aspp-gn-images1-seed3: " in told
    folder = tmp_path / "out" / "aspp-gn-images1-seed3"
    assert {path.name for path in folder.iterdir()} == {"config.yaml", "log.jsonl", "metrics.json"}
    assert list((tmp_path / "out").iterdir()) == [folder]
    assert read_runs([tmp_path / "out"])[0].setting("train.steps") == 2
    assert [job.folder.name for job in jobs_of(part, tmp_path / "out", {})] == ["aspp-bn-images1-seed3"]


def test_the_time_is_kept(part, tiny_camvid, tmp_path, capsys):
    everywhere = {"data.root": str(tiny_camvid), "model.norm_init": None, "train.steps": 100_000}
    jobs = jobs_of(part, tmp_path / "out", everywhere)[1:]
    assert run_jobs(jobs, 1, time.monotonic()) == 1
    assert not (tmp_path / "out").exists()
    assert run_jobs(jobs, 1, time.monotonic() + 5) == 1
    assert "ended with code" in capsys.readouterr().out
    assert not (tmp_path / "out" / "aspp-gn-images1-seed3" / "checkpoints").exists()


@pytest.mark.parametrize("name", PARTS)
def test_every_part_has_runs(name, tmp_path):
    jobs = jobs_of(PARTS[name], tmp_path, {"train.device": "cpu"})
    assert len({job.folder for job in jobs}) == len(jobs) > 0
    for job in jobs:
        yaml.save(tmp_path / "c.yaml", job.config)
        assert yaml.load(tmp_path / "c.yaml", RunConfig) == job.config
