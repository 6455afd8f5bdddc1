"""Which model judges which labels: the run's own, or for every training image one that was trained without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from switchseg.checkpoints.model_directory import load_model
from switchseg.config.schema import RunConfig
from switchseg.data.dataset import Dataset
from switchseg.engine.setup import open_training, open_validation
from switchseg.engine.train import train
from switchseg.errors import UserError
from switchseg.models.segmenter import Segmenter


class Judge(NamedTuple):
    """A model, and the labels that it is asked about."""

    split: str
    dataset: Dataset
    model: Segmenter


def train_folds(config: RunConfig, folder: Path, folds: int) -> int:
    """Train a network for each fold, without its images, in a run directory below `folder`; return the exit code.

    A network learns the errors of the labels that it is trained on, large regions the soonest, and doubts them no more.
    Folds that are complete stay as they are.
    """
    for fold in range(folds):
        print(f"fold {fold + 1} of {folds}", flush=True)
        if code := train(_fold_config(config, fold, folds), _fold_folder(folder, fold, folds)):
            return code
    return 0


def find_judges(model: Segmenter, config: RunConfig, split: str, folder: Path, folds: int) -> list[Judge]:
    """Return who judges the labels of `train`, `val` or `both`.

    Args:
        model: A run's, which judges what no fold does.
        config: Of that run.
        split: The labels to look at.
        folder: Where `train_folds` has left its networks.
        folds: How many there are; 0 leaves all to the run's model.

    Raises:
        UserError: the data set has other classes than the model.
    """
    judges: list[Judge] = []
    if split != "val":
        for fold in range(folds):
            held_out = open_validation(_fold_config(config, fold, folds).data, _silent)
            judges.append(Judge("train", held_out, load_model(_fold_folder(folder, fold, folds))))
        if not folds:
            judges.append(Judge("train", open_training(config.data), model))
    # What the run holds out of its training split is in the folds already.
    if split == "val" or (split == "both" and not (folds and config.data.val_fraction)):
        judges.append(Judge("val", open_validation(config.data), model))
    for judge in judges:
        # In the same order: regions carry numbers of classes, and the data may have changed since the training.
        if judge.dataset.classes.names != model.spec.classes.names:
            raise UserError(f"{config.data.root}: its classes are not those that the model was trained on")
    return judges


def _fold_folder(folder: Path, fold: int, folds: int) -> Path:
    # Both numbers: other folds are other trainings.
    return folder / f"fold{fold + 1}of{folds}"


def _fold_config(config: RunConfig, fold: int, folds: int) -> RunConfig:
    """Return the training that holds out the images of one fold, and lets nothing depend on their labels."""
    return replace(
        config,
        data=replace(config.data, val_list=None, val_fraction=1 / folds, val_fold=fold),
        # Without a best model and without a calibration, which scores on these labels decide on.
        train=replace(config.train, evaluate_every=0, patience=0, calibrate=0),
        evaluate=replace(config.evaluate, multi_short_sides=()),
    )


def _silent(line: str) -> None:
    """Say nothing: the training has said it."""
