"""`switchseg evaluate MODEL --dataset NAME --root DIR`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from switchseg import files
from switchseg.cli.arguments import parse
from switchseg.data import DATASETS
from switchseg.errors import UserError
from switchseg.limits import FRACTION
from switchseg.registry import named

if TYPE_CHECKING:
    from switchseg.engine.evaluation import Evaluation
from switchseg.cli.inference_flags import ComputeFlags, LabelFlags


@dataclass(frozen=True, kw_only=True)
class EvaluateFlags(ComputeFlags, LabelFlags):
    """Score a model on a data set and print the scores per class."""

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="MODEL")]
    """A model directory, or a run directory."""
    dataset: str = named(DATASETS)
    """How the data set's files are laid out."""
    root: Path
    """The data set's folder."""
    list_file: Annotated[Path | None, tyro.conf.arg(name="list")] = None
    """A list of images and labels, for data sets that have one."""
    split: str = "val"
    val_fraction: float = 0.0
    """Score only the images of the split (then usually train) that a training with this data.val_fraction held out."""
    val_seed: int = 0
    """The data.val_seed of that training."""
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
    """Evaluate, write what was asked for, and print the table."""
    flags = parse(EvaluateFlags, "evaluate", arguments)
    if flags.val_fraction not in FRACTION:
        raise UserError(f"--val-fraction: {flags.val_fraction}; {FRACTION} was expected")
    files.check_places([flags.json, flags.confusion, flags.per_image], [flags.save])
    files.check_suffix(flags.json, ".json", ".txt")
    for table in (flags.confusion, flags.per_image):
        files.check_suffix(table, ".csv", ".txt")
    from switchseg.checkpoints.model_directory import load_model
    from switchseg.data.datasets import open_dataset
    from switchseg.data.held_out import hold_out
    from switchseg.distributed import joined_world
    from switchseg.engine.data_checks import require_apart
    from switchseg.engine.evaluate import evaluate
    from switchseg.engine.evaluation import write_confusion, write_per_image
    from switchseg.engine.network import prepare
    from switchseg.engine.predictor import usual_rule

    rule = flags.resolve(usual_rule(flags.model))
    with joined_world(flags.device) as world:
        dataset = open_dataset(flags.dataset, flags.root, flags.split, flags.list_file)
        require_apart(dataset, flags.save)
        if flags.val_fraction:
            dataset = hold_out(dataset, flags.val_fraction, flags.val_seed)[1]
        evaluation = evaluate(
            prepare(load_model(flags.model), flags.compute, world.device),
            dataset,
            rule,
            flags.compute,
            world=world,
            save=flags.save,
            boundary=flags.boundary,
            partial=flags.json and flags.json.with_name(f"{flags.json.name}.partial"),
        )
        # Only one rank may write and print.
        if not world.is_main:
            return
    # Written before anything is printed: a terminal that is gone loses no scores.
    if flags.json is not None:
        files.write_json(flags.json, evaluation.to_json())
    if flags.confusion is not None:
        write_confusion(flags.confusion, evaluation.matrix, dataset.classes)
    if flags.per_image is not None:
        write_per_image(flags.per_image, evaluation.per_image)
    print_evaluation(evaluation)


def print_evaluation(evaluation: Evaluation) -> None:
    """Print one line a class, then the scores and the rule that they were made by."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from switchseg.terminal import print_line

    console, result, entry = Console(), evaluation.scores, evaluation.to_json()
    table = Table("class", "name", "IoU", "Dice", "precision", "recall", "pixels", box=None)
    for column in table.columns[2:]:
        column.justify = "right"
    for each in result.per_class:
        fractions = map(_percent, (each.iou, each.dice, each.precision, each.accuracy))
        # As it is: rich would take [brackets] in a name for styles.
        table.add_row(str(each.index), Text(each.name), *fractions, f"{each.pixels:,}")
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
        print_line(console, f"{title:<15} {text}")


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f} %"
