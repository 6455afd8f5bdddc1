"""`switchseg evaluate MODEL --dataset NAME --root DIR`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from switchseg import files
from switchseg.cli.arguments import parse
from switchseg.errors import UserError

if TYPE_CHECKING:
    from switchseg.engine.evaluate import Evaluation
    from switchseg.engine.inference import Compute, Rule


@dataclass(frozen=True, kw_only=True)
class RuleFlags:
    """What changes the result; each flag overrides what the named rule says."""

    rule: Literal["2018", "2018-multi", "mit"] | None = None
    """2018: short side 450; 2018-multi: 300 400 500 600; mit: 300 375 450 525 600 with Pillow's resize.
    Without it the single-scale rule of the run directory, or 2018 for a model directory."""
    short_sides: tuple[int, ...] | None = None
    """Lengths in pixels that the shorter image side is resized to; several are averaged."""
    flip: bool = False
    """Average over the mirrored image too."""
    window: int | None = None
    """Show the network squares of so many pixels instead of the whole scaled image."""
    stride: int | None = None
    """Pixels from one window to the next (default: two thirds of a window)."""
    whole_image_statistics: bool = False
    """Let norms normalize windows with the mean and variance of the whole image, so that windows leave no seams."""
    max_long_side: int | None = None
    """Longest side in pixels of a scaled image (default: 1000)."""

    def resolve(self, usual: Rule) -> Rule:
        """Return the rule that the flags describe; `usual` is the one where no rule is named."""
        from switchseg.engine.inference import RULES

        named = ("short_sides", "window", "stride", "max_long_side")
        given = {key: value for key in named if (value := getattr(self, key)) is not None}
        base = RULES[self.rule] if self.rule else usual
        try:
            return replace(
                base, flip=base.flip or self.flip, whole_image_statistics=self.whole_image_statistics, **given
            )
        except ValueError as error:
            raise UserError(str(error)) from None


@dataclass(frozen=True, kw_only=True)
class ComputeFlags:
    """What changes the speed, and the result by no more than rounding."""

    device: str = "auto"
    """auto, cpu, cuda or cuda:INDEX."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """What autocast computes in."""
    channels_last: bool = False
    """Keep the channels of a pixel side by side, which bf16 and fp16 like."""
    compile: bool = False
    """Compile the network first, which pays off on long work."""
    capture: Literal["auto", "off"] = "auto"
    """auto records the pass of each input shape that comes again as a CUDA graph, on a GPU; off runs it eagerly."""
    images_per_batch: int = 1
    """Images of equal size that the network sees at once."""

    def resolve_compute(self) -> Compute:
        """Return how to compute."""
        from switchseg.engine.inference import Compute

        named = ("precision", "channels_last", "compile", "capture", "images_per_batch")
        try:
            return Compute(**{key: getattr(self, key) for key in named})
        except ValueError as error:
            raise UserError(str(error)) from None


@dataclass(frozen=True, kw_only=True)
class EvaluateFlags(ComputeFlags, RuleFlags):
    """Score a model on a data set and print the scores per class."""

    model: tyro.conf.Positional[Path]
    """A model directory, or a run directory."""
    dataset: str
    """ade20k, camvid, folder, odgt, scenes, ..."""
    root: Path
    """The data set's folder."""
    list_file: Annotated[Path | None, tyro.conf.arg(name="list")] = None
    """A list of images and labels, for data sets that have one."""
    split: str = "val"
    json: Path | None = None
    """Write the scores to this file. Until they are complete, what is counted is kept in FILE.partial, from which the
    same command goes on if it was stopped."""
    confusion: Path | None = None
    """Write the confusion matrix to this file, as CSV."""
    per_image: Path | None = None
    """Write mean IoU and pixel accuracy of every image to this file, as CSV."""
    save: Path | None = None
    """Write image, truth, labels and confidence of every image to this folder."""
    boundary: bool = False
    """Also score along the boundaries (Boundary IoU)."""


def run(arguments: Sequence[str]) -> None:
    """Evaluate, print the table, and write what was asked for."""
    flags = parse(EvaluateFlags, "evaluate", arguments)
    files.check_places([flags.json, flags.confusion, flags.per_image], [flags.save])
    from switchseg.checkpoints.model_directory import load_model
    from switchseg.data.datasets import open_dataset
    from switchseg.distributed import joined_world
    from switchseg.engine.evaluate import evaluate, write_confusion, write_per_image
    from switchseg.engine.predictor import usual_rule

    rule = flags.resolve(usual_rule(flags.model))
    with joined_world(flags.device) as world:
        compute = flags.resolve_compute()
        dataset = open_dataset(flags.dataset, flags.root, flags.split, flags.list_file)
        evaluation = evaluate(
            compute.prepare(load_model(flags.model), world.device),
            dataset,
            rule,
            compute,
            world=world,
            save=flags.save,
            boundary=flags.boundary,
            partial=flags.json and flags.json.with_name(f"{flags.json.name}.partial"),
        )
        if not world.is_main:
            return
    print_evaluation(evaluation)
    if flags.json is not None:
        files.write_json(flags.json, evaluation.to_json())
    if flags.confusion is not None:
        write_confusion(flags.confusion, evaluation.matrix, dataset.classes)
    if flags.per_image is not None:
        write_per_image(flags.per_image, evaluation.per_image)


def print_evaluation(evaluation: Evaluation) -> None:
    """Print one line a class, then the scores and the rule that they were made by."""
    from rich.console import Console
    from rich.table import Table

    console, result, entry = Console(), evaluation.scores, evaluation.to_json()
    table = Table("class", "name", "IoU", "accuracy", "pixels", box=None)
    for column in table.columns[2:]:
        column.justify = "right"
    for each in result.per_class:
        table.add_row(str(each.index), each.name, _percent(each.iou), _percent(each.accuracy), f"{each.pixels:,}")
    console.print(table)
    lines = {
        "mIoU": f"{_percent(result.mean_iou)} (classes that occur), {_percent(result.mean_iou_all_classes)} (all)",
        "pixel accuracy": _percent(result.pixel_accuracy),
        "overall score": f"{_percent(result.overall_score)} (mean of pixel accuracy and mIoU over all classes)",
        "class accuracy": f"{_percent(result.mean_class_accuracy)} (mean)",
        "weighted IoU": f"{_percent(result.frequency_weighted_iou)} (by frequency)",
        **({"boundary IoU": _percent(entry["mean_boundary_iou"])} if "mean_boundary_iou" in entry else {}),
        **({"seams": evaluation.seams.describe()} if "seams" in entry else {}),
        "images": f"{evaluation.images} in {evaluation.seconds:.1f} s",
        "rule": entry["rule"],
    }
    for title, text in lines.items():
        console.print(f"{title:<15} {text}", markup=False, highlight=False, soft_wrap=True)


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f} %"
