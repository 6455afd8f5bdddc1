"""Training on several ranks equals training on one: real processes under torchrun, gloo between them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from switchseg.checkpoints import training_state
from switchseg.distributed import joined_world
from switchseg.errors import UserError

CONFIG = """
model: {encoder: resnet18_dilated8, decoder: c1_bilinear_deepsup, norm: gn}
data: {dataset: camvid, pipeline: crop, crop_size: [32, 32], crop_short_side: 40, workers: 1}
optim: {lr_encoder: 0.005, lr_decoder: 0.005}
train: {steps: 20, log_every: 5, checkpoint_every: 5, precision: fp64, threads: 1, device: cpu, timeout: 60}
evaluate: {short_sides: [32], multi_short_sides: [], pictures: 1}
"""


def command(
    folder: Path, data: Path, ranks: int, *flags: str, launcher: tuple[str, ...] = ("--standalone",)
) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    torchrun = ["torch.distributed.run", *launcher, "--nproc-per-node", str(ranks), "-m"] if ranks > 1 else []
    train = ["switchseg", "train", str(config), "--out", str(folder / "run"), "--data.root", str(data)]
    return [sys.executable, "-m", *torchrun, *train, *flags]


def run(folder: Path, data: Path, ranks: int, *flags: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command(folder, data, ranks, *flags), capture_output=True, text=True, timeout=280, env=environment
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return training_state.load(training_state.latest(folder / "run" / "checkpoints"))["model"]


def assert_close(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    """Within 1e-9, relative to the largest value of each tensor."""
    assert a.keys() == b.keys()
    for key in a:
        scale = float(a[key].abs().max())
        assert float((a[key] - b[key]).abs().max()) <= 1e-9 * max(scale, 1e-3), key


@pytest.fixture(scope="module")
def single(tmp_path_factory, tiny_camvid):
    """Weights after the training on one rank, by norm."""
    done: dict[str, dict[str, torch.Tensor]] = {}

    def train(norm: str) -> dict[str, torch.Tensor]:
        if norm not in done:
            folder = tmp_path_factory.mktemp(norm)
            result = run(folder, tiny_camvid, 1, "--model.norm", norm, "--train.images-per-device", "4")
            assert result.returncode == 0, result.stderr
            done[norm] = weights(folder)
        return done[norm]

    return train


def test_two_ranks_do_what_one_does(tmp_path, tiny_camvid, single):
    done = run(tmp_path, tiny_camvid, 2, "--model.norm", "syncsn", "--train.images-per-device", "2")
    assert done.returncode == 0, done.stderr
    assert_close(weights(tmp_path), single("syncsn"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("norm", "ranks", "images", "accumulate"),
    [("gn", 2, 2, 1), ("gn", 4, 1, 1), ("gn", 1, 2, 2), ("gn", 2, 1, 2), ("syncsn", 4, 1, 1), ("syncbn", 2, 2, 1)],
)
def test_the_spread_of_a_step_over_ranks_and_accumulation_does_not_matter(
    tmp_path, tiny_camvid, single, norm, ranks, images, accumulate
):
    spread = ["--train.images-per-device", str(images), "--train.accumulate", str(accumulate)]
    done = run(tmp_path, tiny_camvid, ranks, "--model.norm", norm, *spread)
    assert done.returncode == 0, done.stderr
    assert_close(weights(tmp_path), single(norm))


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_ranks(tmp_path, tiny_camvid, single):
    first = run(tmp_path, tiny_camvid, 2, "--train.images-per-device", "2", "--train.steps", "20", "--model.norm", "gn")
    assert first.returncode == 0, first.stderr
    # Taken back to step 15, the rest is trained on one rank.
    checkpoints = tmp_path / "run" / "checkpoints"
    (checkpoints / "step_20.pt").unlink()
    (checkpoints / "last").write_text("step_15.pt\n")
    (tmp_path / "run" / "metrics.json").unlink()
    second = run(tmp_path, tiny_camvid, 1, "--train.images-per-device", "4", "--model.norm", "gn")
    assert second.returncode == 0, second.stderr
    assert_close(weights(tmp_path), single("gn"))
    wrong = run(tmp_path, tiny_camvid, 1, "--train.images-per-device", "2", "--train.steps", "25", "--model.norm", "gn")
    assert wrong.returncode == 2
    assert "a step of this run sees 4 images" in wrong.stderr


def test_a_rank_that_never_arrives_is_one_clear_line(monkeypatch):
    for key, value in {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29571"}.items():
        monkeypatch.setenv(key, value)
    with (
        pytest.raises(UserError, match=r"rank 0 of 2: not every rank arrived at 127\.0\.0\.1:29571 within 1 s"),
        joined_world("cpu", timeout_seconds=1),
    ):
        pass
