"""What each class weighs in the loss of a run: as the config lists it, or from the training split, counted once."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch

from switchseg import files
from switchseg.checkpoints import training_state
from switchseg.config.schema import RunConfig
from switchseg.data.config import DataConfig
from switchseg.data.dataset import Dataset
from switchseg.data.sample import Sample
from switchseg.distributed import World
from switchseg.engine.data_checks import look_through
from switchseg.errors import UserError
from switchseg.losses.class_weights import from_shares
from switchseg.runs.directory import RunDirectory


def class_weights(
    config: RunConfig, dataset: Dataset, run: RunDirectory | None, world: World, say: Callable[[str], None]
) -> tuple[float, ...] | None:
    """Return the weight of each class of `dataset`, what is trained on; None where all weigh alike.

    `auto` counts the pixels of all labels, unless the run, if there is one, goes on with weights that it keeps.
    Every rank must call it. `say` is told, in one line, what was found.

    Raises:
        UserError: the config lists another number of weights, the run's file is damaged, or a label cannot be read.
    """
    chosen, names = config.loss.class_weights, dataset.classes.names
    if chosen is None:
        return None
    if chosen != "auto":
        if len(chosen) != len(names):
            raise UserError(
                f"loss.class_weights: {len(chosen)} numbers, but data set {dataset.name} has {len(names)} classes"
            )
        return chosen
    # Only the first rank's disk is sure to have the run.
    own = [_remembered(run, names) if run else None] if world.is_main else []
    remembered = world.gather(own)[0][0]
    if remembered is not None:
        return remembered
    weights = from_shares(class_pixels(dataset, config.data, world).tolist())
    low, high = (pick(range(len(names)), key=weights.__getitem__) for pick in (min, max))
    say(f"class weights from {weights[low]:.3g} ({names[low]}) to {weights[high]:.3g} ({names[high]})")
    return weights


def keep_class_weights(weights: Sequence[float], names: Sequence[str], run: RunDirectory) -> None:
    """Write the weights of the classes of these names into the run, which goes on with them."""
    files.write_json(run.class_weights, dict(zip(names, weights, strict=True)))


def class_pixels(dataset: Dataset, config: DataConfig, world: World) -> npt.NDArray[np.int64]:
    """Return the labelled pixels of each class in all of `dataset`, int64 [C]. Every rank must call it.

    Raises:
        UserError: a sample cannot be used and `config.on_error` is `stop`, or no pixel has a class.
    """
    classes = len(dataset.classes)

    def count(sample: Sample) -> npt.NDArray[np.int64]:
        if sample.label is None:
            raise UserError(f"{sample.name}: an image without label cannot be trained on")
        # bincount grows with the ignored value, 255: cut off.
        return np.bincount(sample.label.ravel(), minlength=classes)[:classes]

    counts, faults = look_through(dataset, count, config, world, "class weights")
    if faults and config.on_error == "stop":
        raise UserError(next(iter(faults.values())))
    # A rank may have no image of its own, and must take part in the sum all the same.
    own = torch.from_numpy(np.sum(counts, axis=0, dtype=np.int64) if counts else np.zeros(classes, np.int64))
    pixels: npt.NDArray[np.int64] = world.sum(own.to(world.device)).cpu().numpy()
    if not pixels.any():
        raise UserError(f"data set {dataset.name}: none of its {len(dataset)} labels has a pixel with a class")
    return pixels


def _remembered(run: RunDirectory, names: tuple[str, ...]) -> tuple[float, ...] | None:
    """Return the weights with which the checkpoints of a run were trained, if it has some."""
    # Without a checkpoint nothing depends on them, and the data may have changed since.
    if training_state.latest(run.checkpoints) is None or not run.class_weights.exists():
        return None
    try:
        weights = json.loads(run.class_weights.read_text(encoding="utf-8"))
        return tuple(float(weights[name]) for name in names)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{run.class_weights}: holds no weight of each class ({type(error).__name__}: {error}); "
            "remove it to count the training images again"
        ) from None
