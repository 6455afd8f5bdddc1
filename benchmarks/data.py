"""The training pipelines against the plain one of 2018 and torchvision v2, each step of ours, and the wait for data."""

from __future__ import annotations

import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F
from torchvision.io import ImageReadMode, decode_image, read_file
from torchvision.transforms import v2

from benchmarks import results
from benchmarks.plain_2018 import plain_batch
from switchseg.cli.arguments import parse
from switchseg.data import PIPELINES
from switchseg.data.augment import TRANSFORMS
from switchseg.data.augment.transform import Pair, Transform
from switchseg.data.config import DataConfig
from switchseg.data.dataset import Dataset, StoredDataset
from switchseg.data.datasets import open_dataset
from switchseg.data.images import read_image
from switchseg.data.label_files import read_label
from switchseg.data.loader import build_loader
from switchseg.data.order import generator
from switchseg.data.pipelines import Crop, Images, ShortSide
from switchseg.data.resize import resize_image, resize_label
from switchseg.data.sample import Batch
from switchseg.errors import UserError
from switchseg.models.create import create_model
from switchseg.preprocessing import BGR

_PER_BATCH = 2
_STRIDE = 8
_SIDES = DataConfig().short_sides


@dataclass(frozen=True)
class Arguments:
    """Measure what one worker makes of an ADE20K-style data set, and how long a training step waits for it."""

    dataset: str = "ade20k"
    root: Path = Path("../shared/data/ade20k_sample")
    split: str = "val"
    rounds: int = 30
    steps: int = 10
    """Training steps of the wait; 0 leaves it out."""
    records: int = 1_000_000
    """Length of the list that is opened; 0 leaves it out."""
    save: bool = True
    """Append the rows to benchmarks/results.csv."""


def run(arguments: Sequence[str]) -> None:
    """Check that the pipelines agree, then measure, print and record."""
    options = parse(Arguments, "bench data", arguments)
    torch.set_num_threads(1)  # as in a DataLoader's worker
    cv2.setNumThreads(0)
    dataset = open_dataset(options.dataset, options.root, options.split)
    if not isinstance(dataset, StoredDataset):
        raise UserError(f"{options.dataset}: bench data needs a data set of files")
    rows = []
    cases = [
        _short_side(dataset, options.rounds),
        _crop(dataset, options.rounds, colours=False),
        _crop(dataset, options.rounds, colours=True),
        _stages(dataset, options.rounds),
        _wait(dataset, options.steps) if options.steps else (),
        _long_list(options.records) if options.records else (),
    ]
    for row in itertools.chain(*cases):
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        rows.append(row)
    if options.save:
        results.append("data", rows)


def _short_side(dataset: StoredDataset, rounds: int) -> Iterator[dict[str, object]]:
    """The 2018 pipeline: one sub-batch after another, the short sides in turn."""
    numbers = itertools.count()
    ours = {
        "switchseg": DataConfig(),
        "switchseg, simplejpeg": DataConfig(decoder="simplejpeg"),
        "switchseg, Pillow's resize": DataConfig(resize="pillow"),
    }
    makers = {name: _maker(ShortSide, dataset, config) for name, config in ours.items()}
    _require_agreement(dataset, makers["switchseg, Pillow's resize"])
    current = [0]
    variants: dict[str, Callable[[], object]] = {
        "plain 2018": lambda: plain_batch(**_plain_arguments(dataset, current[0])),
        "torchvision v2": lambda: _torchvision_short_side(dataset, current[0]),
        **{name: lambda make=make: make(current[0]) for name, make in makers.items()},
    }
    # Every variant of a round makes the same sub-batch.
    variants = {"next": lambda: current.__setitem__(0, next(numbers)), **variants}
    seconds = results.interleaved(variants, rounds)
    yield from _rows("short_side", seconds, "plain 2018")
    yield from _rows("short_side", seconds, "torchvision v2", ("switchseg", "switchseg, simplejpeg"))


def _crop(dataset: StoredDataset, rounds: int, colours: bool) -> Iterator[dict[str, object]]:
    """Random crops, with and without the change of colours."""
    config = DataConfig(pipeline="crop", photometric=colours, crop_max_share=1.0)
    makers = {
        "switchseg": _maker(Crop, dataset, config),
        "switchseg, simplejpeg": _maker(Crop, dataset, replace(config, decoder="simplejpeg")),
    }
    if colours:
        listed = ({"name": "scale", "short_side": 512}, {"name": "crop"}, {"name": "flip"}, {"name": "colour"})
        makers["switchseg, as a list"] = _maker(Images, dataset, DataConfig(pipeline="augment", augment=listed))
    numbers, current = itertools.count(), [0]
    variants: dict[str, Callable[[], object]] = {
        "next": lambda: current.__setitem__(0, next(numbers)),
        "torchvision v2": lambda: _torchvision_crop(dataset, current[0], config),
        **{name: lambda make=make: make(current[0]) for name, make in makers.items()},
    }
    case = "crop with colours" if colours else "crop"
    yield from _rows(case, results.interleaved(variants, rounds), "torchvision v2")


def _stages(dataset: StoredDataset, rounds: int) -> Iterator[dict[str, object]]:
    record = dataset.record(0)
    image, stored = read_image(record.image), read_label(record.label or "")
    label = dataset.label_map(stored, "")
    height, width = (int(length * 450 / min(label.shape)) for length in label.shape)
    rng = generator(0)
    stages: dict[str, Callable[[], object]] = {
        "decode image, Pillow": lambda: read_image(record.image),
        "decode image, simplejpeg": lambda: read_image(record.image, decoder="simplejpeg"),
        "decode label": lambda: read_label(record.label or ""),
        "map label": lambda: dataset.label_map(stored, ""),
        "resize image, torch": lambda: resize_image(image, height, width),
        "resize image, Pillow": lambda: resize_image(image, height, width, "pillow"),
        "resize label to 1/8": lambda: resize_label(label, height, width, _STRIDE),
        **{name: _transform(TRANSFORMS[name](), Pair(image, label), rng) for name in TRANSFORMS},
    }
    seconds = results.interleaved(stages, 3 * rounds)
    case = f"stage, {label.shape[1]}x{label.shape[0]} to {width}x{height}"
    for name, timings in seconds.items():
        yield {"case": case, "variant": name, "measure": "time", **_timing(timings, 1e3), "unit": "ms/image"}


def _transform(transform: Transform, pair: Pair, rng: np.random.Generator) -> Callable[[], Pair]:
    return lambda: transform(pair, rng, *[pair] * transform.others)


def _wait(dataset: StoredDataset, steps: int) -> Iterator[dict[str, object]]:
    """The share of a CPU training step of ResNet-18 that passes in waiting for one worker."""
    torch.set_num_threads(torch.get_num_interop_threads())
    model = create_model("resnet18_dilated8", "c1_bilinear", "sn", num_classes=len(dataset.classes))
    loader = build_loader(
        DataConfig(workers=1), dataset, images_per_rank=_PER_BATCH, seed=0, steps=steps + 2, stride=_STRIDE
    )
    waited, worked, began = [], [], time.perf_counter()
    for batch in loader:
        arrived = time.perf_counter()
        logits = model(batch.normalized(BGR))
        F.cross_entropy(logits, batch.labels, ignore_index=255).backward()
        model.zero_grad(set_to_none=True)
        waited.append(arrived - began)
        began = time.perf_counter()
        worked.append(began - arrived)
    share = sum(waited[2:]) / (sum(waited[2:]) + sum(worked[2:]))
    yield {
        "case": "wait for one worker, resnet18_dilated8-c1 on the CPU",
        "variant": "switchseg",
        "measure": "share of the step",
        "median": f"{share:.4f}",
        "unit": "fraction",
    }


def _long_list(records: int, rounds: int = 3) -> Iterator[dict[str, object]]:
    """Opening a long list, and finding the first sub-batch of a run that resumes far behind its start."""
    with tempfile.TemporaryDirectory() as folder:
        _write_list(Path(folder, "train.odgt"), records)
        dataset = open_dataset("odgt", folder, "train")
        work: dict[str, Callable[[], object]] = {"open": lambda: open_dataset("odgt", folder, "train")}
        for name in ("short_side", "crop"):
            work[f"resume, {name}"] = partial(_resume, DataConfig(pipeline=name), dataset)
        for name, timings in results.interleaved(work, rounds).items():
            case = f"list of {records} records"
            yield {"case": case, "variant": name, "measure": "time", **_timing(timings, 1.0), "unit": "s"}


def _write_list(path: Path, records: int) -> None:
    names = ((f"images/{n:08d}.jpg", f"labels/{n:08d}.png", 300 + n % 400, 300 + n % 500) for n in range(records))
    with path.open("w", encoding="utf-8") as file:
        for row in names:
            record = dict(zip(("fpath_img", "fpath_segm", "width", "height"), row, strict=True))
            file.write(json.dumps(record) + "\n")


def _resume(config: DataConfig, dataset: Dataset) -> None:
    pipeline = PIPELINES[config.pipeline](config, dataset, _PER_BATCH, 0, _STRIDE)
    pipeline.records(pipeline.order(), 40 * len(dataset))


def _maker(kind: type[ShortSide | Images], dataset: StoredDataset, config: DataConfig) -> Callable[[int], Batch]:
    pipeline = kind(config, dataset, _PER_BATCH, 0, _STRIDE)
    order = pipeline.order()

    def make(number: int) -> Batch:
        dataset.decoder = config.decoder
        return pipeline.batch(number, pipeline.records(order, number))

    return make


def _drawn(dataset: StoredDataset, number: int) -> tuple[np.ndarray, int, list[bool]]:
    """Return the records, the short side and the flips that our pipeline draws for a sub-batch."""
    pipeline = ShortSide(DataConfig(), dataset, _PER_BATCH, 0, _STRIDE)
    rng = generator(0, 2, number)
    side = _SIDES[rng.integers(len(_SIDES))]
    return pipeline.records(pipeline.order(), number), side, (rng.random(_PER_BATCH) < 0.5).tolist()


def _plain_arguments(dataset: StoredDataset, number: int) -> dict[str, object]:
    indices, side, flips = _drawn(dataset, number)
    records = [dataset.record(int(index)) for index in indices]
    return {
        "images": [record.image for record in records],
        "labels": [record.label for record in records],
        "sizes": dataset.sizes()[indices].tolist(),
        "short_side": side,
        "flips": flips,
    }


def _require_agreement(dataset: StoredDataset, make: Callable[[int], Batch]) -> None:
    for number in range(5):
        images, labels = plain_batch(**_plain_arguments(dataset, number))
        batch = make(number)
        if not torch.equal(batch.normalized(BGR), torch.from_numpy(images)):
            raise UserError("the images differ from those of the plain pipeline; nothing was measured")
        if not np.array_equal(np.where(labels < 0, 255, labels), batch.labels):
            raise UserError("the labels differ from those of the plain pipeline; nothing was measured")


def _decoded(dataset: StoredDataset, index: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Decode with torchvision's own readers and map the label as ADE20K wants it."""
    record = dataset.record(index)
    image = decode_image(read_file(str(record.image)), ImageReadMode.RGB)
    label = decode_image(read_file(str(record.label)), ImageReadMode.UNCHANGED)
    return image, label - 1  # uint8: 0 becomes 255


def _torchvision_short_side(dataset: StoredDataset, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    indices, side, flips = _drawn(dataset, number)
    pairs = []
    for index, flip in zip(indices.tolist(), flips, strict=True):
        image, label = _decoded(dataset, index)
        if flip:
            image, label = v2.functional.horizontal_flip(image), v2.functional.horizontal_flip(label)
        scale = min(side / min(image.shape[1:]), 1000 / max(image.shape[1:]))
        size = [int(length * scale) for length in image.shape[1:]]
        image = v2.functional.resize(image, size, v2.InterpolationMode.BILINEAR, antialias=True)
        label = v2.functional.resize(label, size, v2.InterpolationMode.NEAREST_EXACT)
        pairs.append((image, label))
    height, width = (max(image.shape[d] for image, _ in pairs) + 7 & ~7 for d in (1, 2))
    images, labels = [], []
    for image, label in pairs:
        padding = [0, 0, width - image.shape[2], height - image.shape[1]]
        images.append(v2.functional.pad(image, padding, fill=0))
        labels.append(v2.functional.pad(label, padding, fill=255)[0, 4::8, 4::8])
    return torch.stack(images), torch.stack(labels).long()


def _torchvision_crop(dataset: StoredDataset, number: int, config: DataConfig) -> tuple[torch.Tensor, torch.Tensor]:
    pipeline = Crop(config, dataset, _PER_BATCH, 0, _STRIDE)
    colours = v2.RandomPhotometricDistort(p=1.0)
    images, labels = [], []
    for place, index in enumerate(pipeline.records(pipeline.order(), number).tolist()):
        rng = generator(0, 3, number * _PER_BATCH + place)
        image, label = _decoded(dataset, index)
        scale = round(config.crop_short_side * rng.uniform(*config.crop_scales)) / min(image.shape[1:])
        size = [int(length * scale) for length in image.shape[1:]]
        image = v2.functional.resize(image, size, v2.InterpolationMode.BILINEAR, antialias=False)
        label = v2.functional.resize(label, size, v2.InterpolationMode.NEAREST)
        top, left = (int(rng.integers(max(0, size[d] - config.crop_size[d]) + 1)) for d in (0, 1))
        image = v2.functional.crop(image, top, left, *config.crop_size)  # pads with 0 where the image is smaller
        label = v2.functional.crop(label, top, left, *config.crop_size)
        if rng.random() < 0.5:
            image, label = v2.functional.horizontal_flip(image), v2.functional.horizontal_flip(label)
        images.append(colours(image) if config.photometric else image)
        labels.append(label[0, 4::8, 4::8])
    return torch.stack(images), torch.stack(labels).long()


def _rows(
    case: str, seconds: dict[str, list[float]], base: str, variants: Sequence[str] = ()
) -> Iterator[dict[str, object]]:
    """Yield images per second of one worker; the ratio says how many times as fast as `base`."""
    for variant in variants or [name for name in seconds if name != "next"]:
        rates = [_PER_BATCH / s for s in seconds[variant]]
        yield {
            "case": case,
            "variant": variant,
            "measure": "speed",
            **_timing(rates, 1.0),
            "unit": "images/s",
            "ratio": f"{results.ratio(seconds[base], seconds[variant]):.2f}",
            "ratio_to": base,
        }


def _timing(values: Sequence[float], factor: float) -> dict[str, object]:
    timing = results.summary(values)
    return {key: f"{getattr(timing, key) * factor:.4g}" for key in ("median", "low", "high")}
