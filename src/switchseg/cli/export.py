"""`switchseg export MODEL --format onnx|pt2 --out FILE`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from switchseg import files
from switchseg.cli.arguments import parse
from switchseg.cli.inference_flags import RuleFlags
from switchseg.data import DATASETS
from switchseg.errors import UserError
from switchseg.export import TARGETS
from switchseg.registry import named

if TYPE_CHECKING:
    import numpy as np

    from switchseg.data.dataset import Dataset
    from switchseg.export.network import Deployed
    from switchseg.export.parity import Parity

# Of formats that plugins add nothing is known.
_SUFFIXES = {"onnx": (".onnx",), "pt2": (".pt2", ".pt", ".pth")}


@dataclass(frozen=True, kw_only=True)
class ExportFlags(RuleFlags):
    """Write a model as a file that runs without SwitchSeg. It is checked against the model before it is written.

    The rule of scales and windows goes into the file's metadata, for whoever shows images to it.
    Batch size, height and width stay free; BatchNorms, and Switchable Normalizations that only use BN, are folded.
    """

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """A model directory, or a run directory."""
    format: str = named(TARGETS)
    """onnx: for onnxruntime; pt2: for torch.export.load."""
    out: Path
    """The file to write."""
    preprocess: bool = False
    """Take RGB uint8 images [N, 3, H, W] instead of float32 ones, normalized as the model's config.json says."""
    output: Literal["logits", "probabilities", "labels"] = "logits"
    """logits at the decoder's stride, or probabilities or labels at the size of the images."""
    int8: bool = False
    """Compute the convolutions in int8 (onnx), calibrate on the data set below, and measure what it costs in mIoU."""
    dataset: str | None = named(DATASETS, None)
    """For --int8: how the data set's files are laid out."""
    root: Path | None = None
    """For --int8: the data set's folder."""
    list_file: Annotated[Path | None, tyro.conf.arg(name="list")] = None
    """For --int8: a list of images and labels, for data sets that have one."""
    split: str = "val"
    """For --int8: the split that the cost is measured on; the calibration uses the first images of train."""
    calibration_images: int = 32
    """For --int8: how many images set the ranges of the activations."""


def run(arguments: Sequence[str]) -> None:
    """Export, and say what was written and how well it agrees with the model."""
    flags = parse(ExportFlags, "export", arguments)
    if flags.int8 and (flags.format != "onnx" or flags.dataset is None or flags.root is None):
        raise UserError("--int8 needs --format onnx, --dataset and --root, to calibrate and to measure the cost")
    files.check_places([flags.out])
    if flags.format in _SUFFIXES:
        files.check_suffix(flags.out, *_SUFFIXES[flags.format])
    from switchseg.checkpoints.model_directory import load_model
    from switchseg.engine.predictor import usual_rule
    from switchseg.engine.progress import working
    from switchseg.export.network import Deployed, Interface

    interface = Interface(preprocess=flags.preprocess, output=flags.output)
    network = Deployed(load_model(flags.model), interface, flags.resolve(usual_rule(flags.model)))
    if flags.int8:
        parity = _export_int8(network, flags)
    else:
        with working("export: tracing the network, and comparing the file with it"):
            parity = TARGETS[flags.format](network, flags.out)
    size = flags.out.stat().st_size / 1e6
    print(f"{flags.out}: {size:.1f} MB, {network.interface.describe()}")
    print(f"compared with the model: {parity}")


def _export_int8(network: Deployed, flags: ExportFlags) -> Parity:
    from switchseg.data.datasets import open_dataset
    from switchseg.engine.class_order import match_classes
    from switchseg.engine.evaluate import evaluate
    from switchseg.engine.progress import working
    from switchseg.export.quantize import OnnxNetwork, export_int8

    assert flags.dataset is not None
    assert flags.root is not None
    rule = network.rule
    measured = open_dataset(flags.dataset, flags.root, flags.split, flags.list_file)
    # Before the export, since classes that do not match would be noticed only when the cost is measured.
    match_classes(network.network.spec.classes, measured, tell=False)
    # From the training split: ranges that were set on the images that are scored would flatter int8.
    calibration = open_dataset(flags.dataset, flags.root, "train", flags.list_file)
    with working("export: tracing the network, calibrating int8, and comparing the file with it"):
        parity = export_int8(network, flags.out, _first_images(calibration, flags.calibration_images), rule)
    small = OnnxNetwork.as_segmenter(flags.out, network.network)
    before, after = (evaluate(model, measured, rule).scores.mean_iou for model in (network.network, small))
    print(
        f"mIoU on {flags.split}: {100 * before:.2f} % in float32, {100 * after:.2f} % in int8 "
        f"({100 * (after - before):+.2f}); {rule.describe()}"
    )
    return parity


def _first_images(dataset: Dataset, count: int) -> Iterator[np.ndarray]:
    return (dataset.read(index).image for index in range(min(count, len(dataset))))
