"""Whole training steps: images/s, SN against BN in one run, and what the loop adds to the computation."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models.segmentation import fcn_resnet50

from benchmarks import loop, results
from switchseg.checkpoints.start import start_model
from switchseg.cli.arguments import parse
from switchseg.cli.make_scenes import run as make_scenes
from switchseg.config.schema import EvaluateConfig, RunConfig, TrainConfig
from switchseg.data.config import DataConfig
from switchseg.data.sample import Batch
from switchseg.distributed import World, choose_device
from switchseg.engine.precision import computing
from switchseg.engine.setup import batches_from, open_training
from switchseg.engine.step import Stepper, network_input
from switchseg.engine.streams import own_stream
from switchseg.engine.training import Training
from switchseg.errors import UserError
from switchseg.models.config import ModelConfig
from switchseg.norms import SwitchNorm
from switchseg.runs.directory import RunDirectory

_TORCHVISION = "torchvision-bn"

Mode = Literal["eager", "captured", "compiled"]


@dataclass(frozen=True)
class Arguments:
    """Measure training steps on generated scenes, cut to one size."""

    encoder: str = "resnet18_dilated8"
    decoder: str = "c1_bilinear_deepsup"
    norms: tuple[str, ...] = ("bn", "sn", "gn")
    """Compared in turn, step by step; ratios are to the first. `sn-plain` is `sn` without the fused operator, and
    `torchvision-bn` torchvision's fcn_resnet50, which is resnet50_dilated8 with c1_deepsup."""
    modes: tuple[Mode, ...] = ("eager",)
    """How the steps are run; `captured`, as CUDA graphs, needs a GPU and is not done to torchvision's network."""
    images: tuple[int, ...] = (2,)
    """Images a step; each number is measured by itself."""
    size: tuple[int, int] = (128, 128)
    """Height and width in pixels."""
    rounds: int = 20
    in_a_row: int = 1
    """Steps that are timed together. With several, the host queues one while a GPU computes another, as in training."""
    threads: int = 0
    device: str = "auto"
    precision: str = "fp32"
    channels_last: bool = False
    save: bool = True
    """Append the rows to benchmarks/results.csv."""


def run(arguments: Sequence[str]) -> None:
    """Measure, print and record."""
    options = parse(Arguments, "bench train", arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    device = choose_device(options.device)
    if "captured" in options.modes and device.type != "cuda":
        raise UserError("captured steps are CUDA graphs, and this is no GPU; use --modes eager compiled")
    with tempfile.TemporaryDirectory() as folder, own_stream(device):
        scenes = Path(folder) / "scenes"
        make_scenes(["--out", str(scenes), "--images", "16", "--seed", "0"])
        for images in options.images:
            _record(options, _compare(options, images, scenes))
        if device.type == "cpu":  # where the host's time is the whole time
            _record(options, _loop(options, scenes, Path(folder)))


def _record(options: Arguments, rows: Iterator[dict[str, object]]) -> None:
    kept = []
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items() if key != "case"), flush=True)
        kept.append(row)
    if options.save:
        results.append("train", kept)


def _start(options: Arguments, scenes: Path, norm: str, steps: int, images: int, mode: Mode = "eager") -> Training:
    config = RunConfig(
        model=ModelConfig(encoder=options.encoder, decoder=options.decoder, norm=norm.removesuffix("-plain")),
        data=DataConfig(
            dataset="scenes",
            root=str(scenes),
            pipeline="crop",
            crop_size=options.size,
            crop_short_side=options.size[0],
            workers=1,
        ),
        train=TrainConfig(
            steps=steps,
            images_per_device=images,
            checkpoint_every=steps + 1,
            device=options.device,
            precision=options.precision,
            channels_last=options.channels_last,
            compile=mode == "compiled",
            capture="auto" if mode == "captured" else "off",
        ),
        evaluate=EvaluateConfig(),
    )
    torch.manual_seed(0)
    world = World(rank=0, size=1, device=choose_device(options.device))
    training = Training.start(config, world, start_model(config.model, open_training(config.data).classes))
    training.set_training_mode()
    if norm == "sn-plain":
        for module in training.model.modules():
            if isinstance(module, SwitchNorm):
                module.backend = "reference"
    return training


def _loop(options: Arguments, scenes: Path, folder: Path) -> Iterator[dict[str, object]]:
    norm = next(norm for norm in reversed(options.norms) if norm != _TORCHVISION)
    images = options.images[0]
    training = _start(options, scenes, norm, loop.WARM_UP, images)
    for row in loop.measure(training, options.rounds, RunDirectory(folder / "run")):
        yield {"case": _case(options, images), "variant": norm, **row}


def _case(options: Arguments, images: int) -> str:
    height, width = options.size
    extras = [options.precision, *["channels_last"] * options.channels_last]
    return f"{options.encoder}-{options.decoder} {images}x3x{height}x{width} {' '.join(extras)}"


def _compare(options: Arguments, images: int, scenes: Path) -> Iterator[dict[str, object]]:
    """Yield seconds and ratio of a step for each norm and mode, on one batch that is already there."""
    first = _start(options, scenes, "bn", 10**6, images)
    with closing(batches_from(first, open_training(first.config.data))) as batches:
        batch = next(batches)
    work: dict[str, Callable[[], object]] = {}
    for norm, mode in itertools.product(options.norms, options.modes):
        name = norm if mode == "eager" else f"{norm}-{mode}"
        if norm == _TORCHVISION:
            if mode != "captured":
                work[name] = _torchvision_step(options, first, batch, mode)
        else:
            stepper = Stepper(_start(options, scenes, norm, 10**6, images, mode))
            work[name] = lambda stepper=stepper: stepper([batch])
    del first
    rows = {name: (lambda step=step: [step() for _ in range(options.in_a_row)]) for name, step in work.items()}
    seconds = results.interleaved(rows, options.rounds, warm_up=-(-3 // options.in_a_row))
    seconds = {name: [each / options.in_a_row for each in timed] for name, timed in seconds.items()}
    base, case = next(iter(seconds)), _case(options, images)
    for name, step in work.items():
        timing = results.summary(seconds[name])
        yield {
            "case": case, "variant": name, "measure": "step",
            "median": round(timing.median, 5), "low": round(timing.low, 5), "high": round(timing.high, 5), "unit": "s",
            "ratio": round(results.ratio(seconds[name], seconds[base]), 4), "ratio_to": base,
        }  # fmt: skip
        yield {
            "case": case, "variant": name, "measure": "speed",
            "median": round(images / timing.median, 2), "unit": "images/s",
        }  # fmt: skip
        if torch.cuda.is_available() and not name.endswith("-captured"):  # whose memory stays in the graph's pool
            peak = round(_peak_memory(step) / 2**20, 1)
            yield {"case": case, "variant": name, "measure": "peak memory", "median": peak, "unit": "MiB"}


def _peak_memory(step: Callable[[], object]) -> int:
    """Return the bytes that a step allocates beyond what is there before it: gradients and activations."""
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step()
    return torch.cuda.max_memory_allocated() - before


def _torchvision_step(options: Arguments, like: Training, batch: Batch, mode: Mode) -> Callable[[], object]:
    """Return a step of torchvision's network on the same batch, with its losses at the heads' own stride."""
    if (options.encoder, options.decoder) != ("resnet50_dilated8", "c1_bilinear_deepsup"):
        raise UserError(
            f"{_TORCHVISION} is resnet50_dilated8 with c1_bilinear_deepsup, not {options.encoder}-{options.decoder}"
        )
    device, classes = like.world.device, len(like.model.spec.classes)
    network = fcn_resnet50(weights=None, weights_backbone=None, num_classes=classes, aux_loss=True).to(device)
    batch = batch.to(device)
    images, labels = network_input(like, batch), batch.labels
    network.to(images.dtype, memory_format=torch.channels_last if options.channels_last else torch.contiguous_format)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02, momentum=0.9, weight_decay=1e-4)

    def forward() -> Tensor:
        maps = network.backbone(images)
        heads = ((network.classifier, "out", 1.0), (network.aux_classifier, "aux", 0.4))
        return sum(weight * F.cross_entropy(head(maps[name]), labels, ignore_index=255) for head, name, weight in heads)

    compiled = torch.compile(forward) if mode == "compiled" else forward

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with computing(options.precision, device):
            loss = compiled()
        loss.backward()
        optimizer.step()

    return step
