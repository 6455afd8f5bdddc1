"""Evaluation against the plain loop of 2018, SN against BN, and the metric alone, each pair interleaved in one run."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks import results
from switchseg.classes import Classes
from switchseg.cli.arguments import parse
from switchseg.config.inference import Compute, Rule
from switchseg.data.dataset import Dataset
from switchseg.data.datasets import open_dataset
from switchseg.data.sample import Sample
from switchseg.engine.evaluate import evaluate
from switchseg.engine.network import prepare
from switchseg.errors import UserError
from switchseg.metrics import confusion_matrix
from switchseg.models.create import create_model
from switchseg.models.segmenter import Segmenter
from switchseg.norms import SwitchNorm

SCALES = {"one scale": (450,), "four scales": (300, 400, 500, 600)}


@dataclass(frozen=True)
class Arguments:
    """Measure evaluation on real images with an untrained network (the time does not depend on the weights)."""

    dataset: str = "camvid"
    root: Path = Path("../shared/data/camvid")
    encoder: str = "resnet50_dilated8"
    decoder: str = "c1"
    classes: int = 150
    images: int = 2
    """How many images one round evaluates."""
    rounds: int = 5
    threads: int = 1
    save: bool = True
    """Append the rows to benchmarks/results.csv."""


class FirstImages:
    """The first images of a data set, in memory, their labels spread over so many classes."""

    def __init__(self, dataset: Dataset, images: int, classes: int) -> None:
        self.name, self.decoder, self.classes = dataset.name, dataset.decoder, Classes.unnamed(classes)
        self._samples = [dataset.read(index) for index in range(min(images, len(dataset)))]

    def __len__(self) -> int:
        return len(self._samples)

    def sizes(self) -> np.ndarray:
        """Return the (height, width) of every image."""
        return np.array([sample.image.shape[:2] for sample in self._samples], np.int32)

    def read(self, index: int) -> Sample:
        """Return one sample."""
        return self._samples[index]


def run(arguments: Sequence[str]) -> None:
    """Check that all ways agree, then measure, print and record."""
    options = parse(Arguments, "bench evaluate", arguments)
    torch.set_num_threads(options.threads)
    data = FirstImages(open_dataset(options.dataset, options.root, "val"), options.images, options.classes)
    rows: list[dict[str, object]] = []
    for row in itertools.chain(_metric(data), _loops(options, data)):
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        rows.append(row)
    if options.save:
        results.append("evaluate", rows)


def _loops(options: Arguments, data: FirstImages) -> Iterator[dict[str, object]]:
    networks = {norm: _network(options, norm) for norm in ("sn", "bn")}
    plain_norms = with_plain_norms(_network(options, "sn"))
    half = Compute(precision="bf16", channels_last=True)
    networks["bf16"] = prepare(_network(options, "sn"), half, torch.device("cpu"))
    for name, sides in SCALES.items():
        rule = Rule(short_sides=sides)
        variants: dict[str, Callable[[], np.ndarray]] = {
            "plain 2018 loop, plain SN": lambda sides=sides: plain_loop(plain_norms, data, sides),
            "plain 2018 loop": lambda sides=sides: plain_loop(networks["sn"], data, sides),
            "switchseg SN": lambda rule=rule: evaluate(networks["sn"], data, rule, quiet=True).matrix,
            "switchseg SN bf16": lambda rule=rule: evaluate(networks["bf16"], data, rule, half, quiet=True).matrix,
            "switchseg BN": lambda rule=rule: evaluate(networks["bn"], data, rule, quiet=True).matrix,
        }
        _require_agreement(variants["plain 2018 loop, plain SN"](), variants["switchseg SN"]())
        seconds = results.interleaved(variants, options.rounds, warm_up=1)
        height, width = data.sizes()[0]
        case = f"{options.encoder}-{options.decoder} {options.classes} classes, {width}x{height}, {name}"
        for variant, base in (
            *((variant, "plain 2018 loop, plain SN") for variant in variants),
            ("switchseg SN", "plain 2018 loop"),
            ("switchseg SN", "switchseg BN"),
        ):
            yield _row(case, variant, seconds, base, len(data), "s/image")


def _metric(data: FirstImages) -> Iterator[dict[str, object]]:
    label = data.read(0).label
    assert label is not None
    generator = np.random.default_rng(0)
    wrong = generator.integers(0, len(data.classes), label.shape, np.uint8)
    predictions = {
        "errors along the boundaries": np.roll(label, (11, 17), (0, 1)),
        "a fifth of the pixels at random": np.where(generator.random(label.shape) < 0.2, wrong, label),
    }
    for name, prediction in predictions.items():
        yield from _metric_on(name, np.where(prediction < len(data.classes), prediction, wrong), label, data)


def _metric_on(name: str, prediction: np.ndarray, label: np.ndarray, data: FirstImages) -> Iterator[dict[str, object]]:
    classes = len(data.classes)
    # The plain loop holds int64 predictions and labels, -1 for unlabelled; ours what fuse and the readers return.
    long, truth = prediction.astype(np.int64), np.where(label == 255, -1, label.astype(np.int64))
    matrix = confusion_matrix(prediction, label, classes).numpy()
    union = matrix.sum(0) + matrix.sum(1) - matrix.diagonal()
    if not np.array_equal(plain_counts(long, truth, classes), [matrix.diagonal(), union]):
        raise UserError("the two metrics disagree; nothing was measured")
    times = 20  # a round is long enough for its clock
    variants: dict[str, Callable[[], object]] = {
        "NumPy histograms": lambda: [plain_counts(long, truth, classes) for _ in range(times)],
        "confusion_matrix": lambda: [confusion_matrix(prediction, label, classes) for _ in range(times)],
    }
    seconds = results.interleaved(variants, rounds=20)
    case = f"metric, {label.shape[1]}x{label.shape[0]}, {classes} classes, {name}"
    for variant in variants:
        yield _row(case, variant, seconds, "NumPy histograms", times, "s/image")


def plain_loop(model: Segmenter, data: FirstImages, sides: Sequence[int]) -> np.ndarray:
    """Evaluate as the description of the 2018 code reads; return intersections and unions [2, C]."""
    total = np.zeros((2, len(data.classes)), np.int64)
    preprocessing = model.spec.preprocessing
    for index in range(len(data)):
        image, label, _ = data.read(index)
        assert label is not None
        height, width = label.shape
        scores = torch.zeros(1, len(data.classes), height, width)
        for side in sides:
            scale = min(side / min(height, width), 1000 / max(height, width))
            size = tuple(-(-int(length * scale) // 8) * 8 for length in (height, width))
            scaled = cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR).astype(np.float32)
            scaled = (scaled * preprocessing.scale - preprocessing.mean) / preprocessing.std
            inputs = torch.from_numpy(scaled.astype(np.float32).transpose(2, 0, 1).copy())[None]
            with torch.no_grad():
                logits = F.interpolate(model(inputs), size=(height, width), mode="bilinear", align_corners=False)
                scores = scores + logits.softmax(1) / len(sides)
        prediction = scores.argmax(1)[0].numpy()
        total += plain_counts(prediction, np.where(label == 255, -1, label.astype(np.int64)), len(data.classes))
    return total


class PlainSwitchNorm(nn.Module):
    """The layer's evaluation as the description of 2018 reads: a pass over the maps for every step of the formula."""

    def __init__(self, norm: SwitchNorm) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """Normalize maps [N, C, H, W]."""
        norm, maps = self.norm, x.reshape(*x.shape[:2], -1)
        mean_in, var_in = maps.mean(-1, keepdim=True), maps.var(-1, keepdim=True)
        squares = var_in + mean_in**2
        mean_ln = mean_in.mean(1, keepdim=True)
        var_ln = squares.mean(1, keepdim=True) - mean_ln**2
        shares, var_shares = norm.mean_weight.softmax(0), norm.var_weight.softmax(0)
        mean_bn, var_bn = (norm.get_buffer(f"running_{name}").view(-1, 1) for name in ("mean", "var"))
        mean = shares[0] * mean_in + shares[1] * mean_ln + shares[2] * mean_bn
        var = var_shares[0] * var_in + var_shares[1] * var_ln + var_shares[2] * var_bn
        normal = ((maps - mean) / (var + norm.eps).sqrt()).view_as(x)
        return normal * norm.get_parameter("weight").view(-1, 1, 1) + norm.get_parameter("bias").view(-1, 1, 1)


def with_plain_norms(module: Segmenter) -> Segmenter:
    """Put the plain layer in the place of every Switchable Normalization."""
    for name, norm in [*module.named_modules()]:
        if isinstance(norm, SwitchNorm):
            parent, _, own = name.rpartition(".")
            setattr(module.get_submodule(parent), own, PlainSwitchNorm(norm))
    return module


def plain_counts(prediction: np.ndarray, label: np.ndarray, classes: int) -> np.ndarray:
    """Return intersections and unions [2, C] of one image by three histograms, and count what is right, as in 2018."""
    valid = label >= 0
    _ = (valid * (prediction == label)).sum() / (valid.sum() + 1e-10)
    prediction, label = prediction.copy() + 1, label.copy() + 1
    prediction = prediction * (label > 0)
    both = prediction * (prediction == label)
    areas = [np.histogram(values, bins=classes, range=(1, classes))[0] for values in (both, prediction, label)]
    return np.stack([areas[0], areas[1] + areas[2] - areas[0]])


def _network(options: Arguments, norm: str) -> Segmenter:
    torch.manual_seed(0)
    return create_model(options.encoder, options.decoder, norm, options.classes).eval()


def _require_agreement(plain: np.ndarray, matrix: np.ndarray) -> None:
    """Raise unless intersections and unions agree to 1 pixel in 10 000."""
    ours = np.stack([matrix.diagonal(), matrix.sum(0) + matrix.sum(1) - matrix.diagonal()])
    if np.abs(ours - plain).sum() > 1e-4 * matrix.sum():
        raise UserError("the plain loop and evaluate() disagree; nothing was measured")


def _row(
    case: str, variant: str, seconds: dict[str, list[float]], base: str, images: int, unit: str
) -> dict[str, object]:
    timing = results.summary([value / images for value in seconds[variant]])
    values = {key: round(getattr(timing, key), 6) for key in ("median", "low", "high")}
    ratio = round(results.ratio(seconds[variant], seconds[base]), 4)
    return {
        "case": case,
        "variant": variant,
        "measure": "time",
        **values,
        "unit": unit,
        "ratio": ratio,
        "ratio_to": base,
    }
