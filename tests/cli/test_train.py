"""`switchseg train` as users run it: real processes, signals, kills and mistakes."""

import contextlib
import io
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from switchseg.checkpoints import training_state
from switchseg.cli import main
from switchseg.config import yaml
from switchseg.config.schema import RunConfig
from switchseg.data.dataset import StoredDataset
from switchseg.engine import finish, interrupt, tally
from tests.engine.runs import assert_equal, events

CONFIG = """
model: {encoder: resnet18_dilated8, decoder: ppm_bilinear_deepsup, norm: sn}
data: {dataset: camvid, short_sides: [32, 40, 48], max_long_side: 64, workers: 1}
train: {steps: 8, images_per_device: 2, log_every: 1, log_shares_every: 4, checkpoint_every: 2, threads: 1,
        ema_decay: 0.9}
evaluate: {short_sides: [40], multi_short_sides: [32, 48], pictures: 2, extremes: 0}
"""


def command(folder: Path, data: Path, *flags: str) -> list[str]:
    config = folder / "config.yaml"
    config.write_text(CONFIG)
    out = ["--out", str(folder / "run"), "--data.root", str(data)]
    return [sys.executable, "-m", "switchseg", "train", str(config), *out, *flags]


def run(folder: Path, data: Path, *flags: str) -> subprocess.CompletedProcess:
    """Run the command in this process, which saves the seconds that the imports take."""
    return called(command(folder, data, *flags))


def called(arguments: list[str]) -> subprocess.CompletedProcess:
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main(arguments[3:])
    return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, tiny_camvid) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = run(folder, tiny_camvid)
    assert done.returncode == 0, done.stderr
    return folder


def assert_same_end(folder: Path, undisturbed: Path) -> None:
    assert events(folder, "start", "train", "shares", "checkpoint") == events(
        undisturbed, "start", "train", "shares", "checkpoint"
    )
    ends = [training_state.load(training_state.latest(each / "run" / "checkpoints")) for each in (folder, undisturbed)]
    assert_equal(*ends)
    models = [(each / "run" / "model" / "model.safetensors").read_bytes() for each in (folder, undisturbed)]
    assert models[0] == models[1]


def test_a_run_directory_is_complete(undisturbed):
    out = undisturbed / "run"
    for name in ("config.yaml", "log.jsonl", "metrics.json", "images_single.csv", "report.html", "model/config.json"):
        assert (out / name).is_file(), name
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["last", "step_6.pt", "step_8.pt"]
    assert len(list((out / "pictures").glob("*_truth.png"))) == 2
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["single"]["short_sides"] == [40]
    assert metrics["multi"]["images"] == 3


def test_tensorboard_shows_scalars_shares_pictures_and_text(undisturbed):
    board = EventAccumulator(str(undisturbed / "run" / "tensorboard")).Reload()
    tags = board.Tags()
    assert {"train/loss", "train/mean_iou", "train/lr/encoder"} <= set(tags["scalars"])
    assert any(tag.startswith("shares/encoder.body.bn1/mean/") for tag in tags["scalars"])
    assert {"run/config/text_summary", "run/environment/text_summary"} <= set(tags["tensors"])
    assert len([tag for tag in tags["images"] if tag.startswith("pictures/")]) == 2


def test_the_rate_of_every_step_is_that_of_its_own_step(undisturbed):
    rates = [event["lr"]["encoder"] for event in events(undisturbed, "train")]
    assert rates == pytest.approx([0.02 * (1 - step / 8) ** 0.9 for step in range(8)])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_goes_on_where_it_was(tmp_path, tiny_camvid, undisturbed, number):
    process = subprocess.Popen(
        command(tmp_path, tiny_camvid),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in process.stdout:
        if line.startswith("step 3/"):
            os.killpg(process.pid, number)  # the workers get it too, as from a terminal
            break
    output, errors = process.communicate(timeout=120)
    assert process.returncode == interrupt.EXIT_CODE, errors
    assert signal.Signals(number).name in output
    assert errors == ""
    assert run(tmp_path, tiny_camvid).returncode == 0
    stopped_at = training_state.step_of(Path(events(tmp_path, "checkpoint")[1]["file"]))
    assert 3 <= stopped_at < 8
    same = [event for event in events(tmp_path, "checkpoint") if event["step"] % 2 == 0]
    assert same == events(undisturbed, "checkpoint")
    assert events(tmp_path, "train", "shares") == events(undisturbed, "train", "shares")
    model = "run/model/model.safetensors"
    assert (tmp_path / model).read_bytes() == (undisturbed / model).read_bytes()


def test_a_run_that_is_stopped_while_it_is_scored_is_scored_by_the_same_command(
    tmp_path, tiny_camvid, undisturbed, monkeypatch
):
    shutil.copytree(undisturbed / "run", tmp_path / "run")
    (tmp_path / "run" / "metrics.json").unlink()
    evaluate = finish.evaluate

    def interrupted(*arguments, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        return evaluate(*arguments, **options)

    with monkeypatch.context() as patches:
        patches.setattr(finish, "evaluate", interrupted)
        stopped = run(tmp_path, tiny_camvid)
    assert stopped.returncode == interrupt.EXIT_CODE, stopped.stderr
    assert "stopped by SIGTERM before the trained model was scored" in stopped.stdout
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert run(tmp_path, tiny_camvid).returncode == 0
    scores = [json.loads((each / "run" / "metrics.json").read_text()) for each in (tmp_path, undisturbed)]
    assert scores[0]["multi"]["mean_iou"] == scores[1]["multi"]["mean_iou"]


def test_reading_all_labels_ends_at_once_and_leaves_no_directory(tmp_path, tiny_camvid, monkeypatch):
    read = StoredDataset.read

    def interrupted(self, index):
        if len(self) == 3 and index == 1 and threading.current_thread() is not threading.main_thread():
            os.kill(os.getpid(), signal.SIGTERM)  # in the evaluation split, read by threads before the first step
        return read(self, index)

    with monkeypatch.context() as patches:
        patches.setattr(StoredDataset, "read", interrupted)
        done = run(tmp_path, tiny_camvid, "--model.encoder", "test_resnet", "--loss.class-weights", "auto")
    assert done.returncode == interrupt.EXIT_CODE, done.stderr
    assert "stopped by SIGTERM before a step was taken; the same command goes on" in done.stdout
    assert not (tmp_path / "run").exists()


def test_an_evaluation_on_the_way_ends_at_once_and_is_made_up(tmp_path, tiny_camvid, monkeypatch):
    flags = ["--model.encoder", "test_resnet", "--model.decoder", "c1_bilinear", "--data.workers", "0"]
    flags += ["--train.steps", "6", "--train.evaluate-every", "2", "--train.checkpoint-every", "4", "--train.recorders"]
    flags += ["--evaluate.multi-short-sides", "--evaluate.pictures", "0"]
    straight, stopped = tmp_path / "straight", tmp_path / "stopped"
    for folder in (straight, stopped):
        folder.mkdir()
    assert run(straight, tiny_camvid, *flags).returncode == 0
    add = tally.Tally.add
    # After the second image of three; before it, from the second session on, comes what is made up.
    for step, image in ((2, 2), (4, 3 + 2), (6, 3 + 2)):
        numbers = itertools.count(1)

        def interrupted(self, *arguments, numbers=numbers, image=image):
            add(self, *arguments)
            if next(numbers) == image:
                os.kill(os.getpid(), signal.SIGTERM)

        with monkeypatch.context() as patches:
            patches.setattr(tally.Tally, "add", interrupted)
            done = run(stopped, tiny_camvid, *flags)
        assert done.returncode == interrupt.EXIT_CODE, done.stderr
        where = "before the evaluation after step" if step < 6 else "before the trained model was scored"
        assert f"stopped by SIGTERM {where}" in done.stdout
        assert next(numbers) == image + 1
        assert training_state.latest(stopped / "run" / "checkpoints").name == f"step_{step}.pt"
    assert run(stopped, tiny_camvid, *flags).returncode == 0
    assert [event["step"] for event in events(straight, "evaluate")] == [2, 4, 6]
    kinds = ("start", "train", "shares", "evaluate", "scores", "end")
    assert events(stopped, *kinds) == events(straight, *kinds)
    ends = [training_state.load(training_state.latest(each / "run" / "checkpoints")) for each in (stopped, straight)]
    assert_equal(*ends)
    models = [(each / "run" / "model" / "model.safetensors").read_bytes() for each in (stopped, straight)]
    assert models[0] == models[1]


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_nothing(tmp_path, tiny_camvid, undisturbed):
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        process = subprocess.Popen(
            command(tmp_path, tiny_camvid), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
        time.sleep(3 + 5 * float(torch.rand(1, generator=generator)))
        if process.poll() is not None:
            assert process.returncode == 0, process.stderr.read()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    assert run(tmp_path, tiny_camvid).returncode == 0
    assert_same_end(tmp_path, undisturbed)


def test_a_complete_run_is_not_trained_again(tmp_path, tiny_camvid):
    assert run(tmp_path, tiny_camvid, "--train.steps", "1").returncode == 0
    before = (tmp_path / "run" / "model" / "model.safetensors").stat().st_mtime_ns
    again = run(tmp_path, tiny_camvid, "--train.steps", "1")
    assert again.returncode == 0
    assert "complete" in again.stdout
    assert (tmp_path / "run" / "model" / "model.safetensors").stat().st_mtime_ns == before
    never = run(tmp_path, tiny_camvid, "--train.steps", "1", "--resume", "never")
    assert never.returncode == 2
    assert "would overwrite" in never.stderr


def test_epochs_and_held_out_images_in_place_of_steps_and_a_split(tmp_path, tiny_camvid):
    flags = ["--train.epochs", "2", "--data.val-fraction", "0.3", "--train.recorders", "--model.encoder", "test_resnet"]
    done = run(tmp_path, tiny_camvid, *flags)
    assert done.returncode == 0, done.stderr
    saved = yaml.load(tmp_path / "run" / "config.yaml", RunConfig)
    (start,), ends = events(tmp_path, "start"), events(tmp_path, "end")
    assert saved.train.epochs is None
    assert saved.train.steps == start["images"] == ends[-1]["steps"]  # 2 images a step
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["single"]["images"] == 8 - start["images"]
    assert not (tmp_path / "run" / "tensorboard").exists()
    assert "complete after" in run(tmp_path, tiny_camvid, *flags).stdout
    other = run(tmp_path, tiny_camvid, *flags, "--data.val-seed", "1")
    assert "data.val_seed = 0, not 1" in other.stderr


def test_it_says_what_it_trains_before_and_where_it_is_after(tmp_path, tiny_camvid):
    done = run(
        tmp_path, tiny_camvid, "--train.steps", "1", "--model.encoder", "test_resnet", "--train.frozen-stages", "0"
    )
    assert done.returncode == 0, done.stderr
    out = tmp_path / "run"
    lines = dict(line.split(maxsplit=1) for line in reversed(done.stdout.splitlines()) if " " in line)
    assert lines["device"].startswith("cpu (")
    assert re.fullmatch(r"test_resnet \+ ppm_bilinear_deepsup, sn: [\d.]+ M parameters, [\d.]+ M of .*", lines["model"])
    assert lines["weights"] == "random"
    assert lines["classes"].startswith("11: Sky, Building, ")
    assert lines["images"] == "8 to train on, 3 to evaluate on (val)"
    assert lines["length"] == "1 steps of 2 images, 0.25 epochs"
    assert lines["output"] == str(out)
    assert re.fullmatch(r"0:\d\d:\d\d for the steps \(\d+ % of it .*\), 0:\d\d:\d\d to score", lines["time"])
    assert lines["report"] == str(out / "report.html")
    assert f"model    {out / 'model'}\n" in done.stdout
    assert max(len(line) for line in done.stdout.splitlines() if str(tmp_path) not in line) <= 120


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--train.stepps", "3"], ["--train.stepps", "--train.steps"]),
        (["--model.norm", "xn"], ["'xn'", "syncbn"]),
        (["--model.encoder", "resnet51_dilated8"], ["resnet51"]),
        (["--model.decoder", "c2"], ["'c2'", "c1"]),
        (["--data.root", "/nowhere"], ["/nowhere", "no such folder"]),
        (["--data.dataset", "camvit"], ["'camvit'", "camvid"]),
        (["--train.steps", "0"], ["train.steps", "at least 1"]),
        (["--train.device", "tpu9"], ["'tpu9'"]),
        (["--train.recorders", "wandbb"], ["no recorder 'wandbb'", "did you mean 'wandb'?"]),
        (["--train.frozen-stages", "5"], ["train.frozen_stages: 5", "0 to 4"]),
        (
            ["--data.val-fraction", "0.1", "--data.val-list", "x"],
            ["data.val_list and data.val_fraction are x and 0.1; give one"],
        ),
        (["--resume", "/nowhere/step_1.pt"], ["/nowhere/step_1.pt", "no such checkpoint"]),
        (["--data.val-split", "vall"], ["vall"]),
        (["--loss.class-weights", "1", "2"], ["loss.class_weights: 2 numbers", "11 classes"]),
        (["--data.pipeline", "crop", "--data.crop-size", "33", "32"], ["data.crop_size: 33 32"]),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2_and_leaves_no_directory(tmp_path, tiny_camvid, flags, words):
    done = run(tmp_path, tiny_camvid, *flags)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_another_training_leaves_no_directory(tmp_path, tiny_camvid, undisturbed):
    checkpoint = undisturbed / "run" / "checkpoints" / "step_8.pt"
    for flags, words in (
        (["--model.norm", "gn"], "belongs to another training"),
        (["--train.images-per-device", "1"], "a step of this run sees 2 images"),
        (["--train.steps", "7"], "has seen 8 steps, more than the 7"),
    ):
        done = run(tmp_path, tiny_camvid, "--resume", str(checkpoint), *flags)
        assert done.returncode == 2
        assert words in done.stderr
        assert not (tmp_path / "run").exists()


def test_data_that_cannot_be_used_leave_no_directory(tmp_path, tiny_camvid):
    data = Path(shutil.copytree(tiny_camvid, tmp_path / "data"))
    flags = ["--model.encoder", "test_resnet", "--loss.class-weights", "auto"]
    for name in ("val/val_2.png", "trainannot/train_7.png"):  # the weights are counted before the splits are read
        (data / name).write_bytes(b"no image")
        done = run(tmp_path, data, *flags)
        assert done.returncode == 2
        assert name in done.stderr
        assert not (tmp_path / "run").exists()


def test_an_unknown_key_of_the_config_is_named(tmp_path, tiny_camvid):
    arguments = command(tmp_path, tiny_camvid)
    (tmp_path / "config.yaml").write_text(CONFIG.replace("encoder", "encodr"))
    done = called(arguments)
    assert done.returncode == 2
    assert "unknown key model.encodr; did you mean model.encoder?" in done.stderr


def test_another_training_does_not_go_on_with_this_run(tmp_path, tiny_camvid):
    assert run(tmp_path, tiny_camvid, "--train.steps", "1").returncode == 0
    done = run(tmp_path, tiny_camvid, "--train.steps", "2", "--optim.lr-encoder", "0.5")
    assert done.returncode == 2
    assert "optim.lr_encoder = 0.02, not 0.5" in done.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_fewer_steps_than_a_run_has_seen_leave_it_as_it_is(tmp_path, tiny_camvid):
    flags = ["--model.encoder", "test_resnet", "--train.images-per-device", "2"]
    assert run(tmp_path, tiny_camvid, *flags, "--train.steps", "3").returncode == 0
    before = contents(tmp_path / "run")
    last = tmp_path / "run" / "checkpoints" / "step_3.pt"
    for shorter in (["--train.steps", "2"], ["--train.epochs", "0.25"], ["--train.steps", "2", "--resume", str(last)]):
        done = run(tmp_path, tiny_camvid, *flags, *shorter)
        assert done.returncode == 2, shorter
        assert done.stderr.count("\n") == 1
        assert f"{last}: has seen 3 steps, more than the " in done.stderr
        assert contents(tmp_path / "run") == before


def test_a_loss_that_is_not_finite_stops_before_the_update_and_names_the_layer(tmp_path, tiny_camvid):
    done = run(tmp_path, tiny_camvid, "--optim.lr-encoder", "1e6", "--optim.lr-decoder", "1e6")
    assert done.returncode == 2
    assert "step" in done.stderr
    assert "not finite" in done.stderr or "the loss is" in done.stderr
    found = training_state.latest(tmp_path / "run" / "checkpoints")
    if found is not None:
        state = training_state.load(found)
        assert all(torch.isfinite(t).all() for t in state["model"].values())
