"""Training on several ranks equals training on one: real processes under torchrun, gloo between them."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from switchseg.checkpoints import training_state
from switchseg.distributed import joined_world
from switchseg.errors import UserError
from switchseg.runs import journal
from tests.engine.runs import assert_equal, events

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


@pytest.mark.slow
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
def test_class_weights_are_counted_by_all_ranks_together_and_kept(tmp_path, tiny_camvid):
    flags = ["--model.norm", "gn", "--loss.terms", "cross_entropy", "dice", "--loss.class-weights", "auto"]
    found = []
    for ranks, images in ((1, "4"), (2, "2")):
        folder = tmp_path / str(ranks)
        spread = ["--train.images-per-device", images, "--train.steps", "5"]
        done = run(folder, tiny_camvid, ranks, *flags, *spread)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("class weights from ") == 1
        found.append((weights(folder), (folder / "run" / "class_weights.json").read_text()))
    assert_close(found[0][0], found[1][0])
    assert found[0][1] == found[1][1]
    resumed = run(tmp_path / "2", tiny_camvid, 2, *flags, "--train.images-per-device", "2", "--train.steps", "10")
    assert resumed.returncode == 0, resumed.stderr
    assert "class weights from " not in resumed.stdout


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


@pytest.mark.slow
def test_a_killed_rank_is_restarted_and_the_end_is_the_same(tmp_path, tiny_camvid):
    flags = ["--model.norm", "sn", "--train.images-per-device", "2", "--train.checkpoint-every", "2"]
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    assert run(undisturbed, tiny_camvid, 2, *flags).returncode == 0
    launcher = ("--standalone", "--max-restarts", "2")
    arguments = command(killed, tiny_camvid, 2, *flags, launcher=launcher)
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    for line in process.stdout:
        if line.startswith("step 10/"):
            os.kill(_ranks_of(process.pid)[1], signal.SIGKILL)
            break
    _, errors = process.communicate(timeout=250)
    assert process.returncode == 0, errors
    ours, theirs = weights(killed), weights(undisturbed)
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


@pytest.mark.slow
def test_two_ranks_that_are_stopped_go_on_bit_for_bit(tmp_path, tiny_camvid):
    """With dropout, random crops in a data worker, and a moving average of the weights."""
    flags = ["--model.decoder", "ppm_bilinear_deepsup", "--model.norm", "sn", "--train.images-per-device", "2"]
    flags += ["--train.precision", "fp32", "--train.ema-decay", "0.9", "--train.log-every", "1"]
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    assert run(straight, tiny_camvid, 2, *flags).returncode == 0
    for step in (3, 11):
        assert _run_until(step, command(stopped, tiny_camvid, 2, *flags)) != 0
        assert not (stopped / "run" / "metrics.json").exists()
    assert run(stopped, tiny_camvid, 2, *flags).returncode == 0
    ends = [training_state.load(training_state.latest(each / "run" / "checkpoints")) for each in (straight, stopped)]
    assert_equal(*ends)
    losses = [[event["loss"] for event in events(each, "train")] for each in (straight, stopped)]
    assert len(losses[0]) == 20
    assert losses[0] == losses[1]


def _run_until(step: int, arguments: list[str]) -> int:
    """Send SIGTERM once a step is done, and return the exit code."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    for line in process.stdout:
        if line.startswith(f"step {step}/"):
            process.terminate()
            break
    process.communicate(timeout=200)
    return process.returncode


@pytest.mark.slow
def test_a_lost_rank_is_one_clear_line(tmp_path, tiny_camvid):
    arguments = command(tmp_path, tiny_camvid, 1, "--train.images-per-device", "2")
    world = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29573", "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    first, second = (
        subprocess.Popen(
            arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **world, "RANK": str(rank)},
        )
        for rank in range(2)
    )
    try:
        for line in first.stdout:
            if line.startswith("step 10/"):
                second.kill()
                break
        _, errors = first.communicate(timeout=200)
    finally:
        second.kill()
        second.communicate()
    assert first.returncode == 75
    assert errors.splitlines()[-1].startswith("switchseg: error: rank 0 of 2: the connection to another rank broke")
    assert "Traceback" not in errors


def _ranks_of(agent: int) -> list[int]:
    children = Path(f"/proc/{agent}/task/{agent}/children").read_text().split()
    return [int(pid) for pid in children if b"RANK=" in Path(f"/proc/{pid}/environ").read_bytes()]


def test_a_rank_that_never_arrives_is_one_clear_line(monkeypatch):
    for key, value in {"WORLD_SIZE": "2", "RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29571"}.items():
        monkeypatch.setenv(key, value)
    with (
        pytest.raises(UserError, match=r"rank 0 of 2: not every rank arrived at 127\.0\.0\.1:29571 within 1 s"),
        joined_world("cpu", timeout_seconds=1),
    ):
        pass


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("ip") is None or os.geteuid() != 0, reason="needs root and iproute2 to make network namespaces"
)
def test_two_hosts_train_and_survive_the_loss_of_a_process(tmp_path, tiny_camvid):
    spaces = ["switchseg-a", "switchseg-b"]
    if _network(spaces) != 0:
        pytest.skip("this machine does not allow making network namespaces")
    hosts = []
    try:
        for rank, space in enumerate(spaces):
            launcher = ("--nnodes", "2", "--local-addr", f"10.77.0.{rank + 1}", "--max-restarts", "3")
            rendezvous = ("--rdzv-backend", "c10d", "--rdzv-endpoint", "10.77.0.1:29400", "--rdzv-id", "switchseg")
            # The namespaces share a host name, which stands for neither.
            rendezvous += ("--rdzv-conf", f"is_host={'false' if rank else 'true'}")
            # 1 process a host, but through torchrun all the same
            arguments = command(
                tmp_path, tiny_camvid, 2, "--train.images-per-device", "2", launcher=launcher + rendezvous
            )
            arguments[arguments.index("--nproc-per-node") + 1] = "1"
            environment = {**os.environ, "GLOO_SOCKET_IFNAME": f"veth{rank}", "OMP_NUM_THREADS": "1"}
            hosts.append(
                subprocess.Popen(
                    ["ip", "netns", "exec", space, *arguments],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    env=environment,
                )
            )
        _wait_for_step(tmp_path / "run" / "log.jsonl", 10, seconds=200)
        os.kill(_ranks_of(hosts[1].pid)[0], signal.SIGKILL)
        outputs = [host.communicate(timeout=280)[0] for host in hosts]
        assert [host.returncode for host in hosts] == [0, 0], outputs
    finally:
        for host in hosts:
            host.kill()
            host.communicate()
        for space in spaces:
            subprocess.run(["ip", "netns", "del", space], check=False)
    state = training_state.load(training_state.latest(tmp_path / "run" / "checkpoints"))
    assert state["step"] == 20


def _wait_for_step(log: Path, step: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not (log.exists() and any(event["step"] >= step for event in journal.read(log))):
        assert time.monotonic() < deadline, f"step {step} was not reached"
        time.sleep(0.2)


def _network(spaces: list[str]) -> int:
    """Make two hosts, 10.77.0.1 and 10.77.0.2, with a cable between them."""
    lines = [f"ip netns add {space}" for space in spaces]
    lines.append(f"ip link add veth0 netns {spaces[0]} type veth peer name veth1 netns {spaces[1]}")
    for rank, space in enumerate(spaces):
        lines.append(f"ip -n {space} addr add 10.77.0.{rank + 1}/24 dev veth{rank}")
        lines.append(f"ip -n {space} link set veth{rank} up")
        lines.append(f"ip -n {space} link set lo up")
    return subprocess.run(["sh", "-ec", "\n".join(lines)], capture_output=True).returncode
