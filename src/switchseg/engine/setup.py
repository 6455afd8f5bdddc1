"""From a config to the objects of a training: data sets, batches, and the checkpoint to go on from."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

from switchseg.checkpoints import training_state
from switchseg.config.schema import RunConfig
from switchseg.data.config import DataConfig
from switchseg.data.dataset import Dataset
from switchseg.data.datasets import open_dataset
from switchseg.data.held_out import hold_out
from switchseg.data.loader import build_loader
from switchseg.data.sample import Batch
from switchseg.engine.data_checks import same_images
from switchseg.engine.training import Training
from switchseg.errors import UserError
from switchseg.runs.directory import RunDirectory


def open_training(config: DataConfig) -> Dataset:
    """Open what is trained on."""
    dataset = _whole_training(config)
    return _divided(dataset, config)[0] if config.val_fraction else dataset


def open_validation(config: DataConfig, say: Callable[[str], None] = print) -> Dataset:
    """Open what is evaluated on; `say` is told if that leaves a split aside."""
    if not config.val_fraction:
        return _open(config, config.val_split, config.val_list)
    dataset = _whole_training(config)
    with contextlib.suppress(UserError):  # usually there is none
        other = open_dataset(config.dataset, config.root, config.val_split)
        if not same_images(dataset, other):
            say(
                f"data.val_fraction: {config.evaluated_on} is evaluated on, not the split {config.val_split!r} of "
                f"{len(other)} images; leave val_fraction out for that"
            )
    return _divided(dataset, config)[1]


def _divided(dataset: Dataset, config: DataConfig) -> tuple[Dataset, Dataset]:
    return hold_out(dataset, config.val_fraction, config.val_seed, config.val_fold)


def _whole_training(config: DataConfig) -> Dataset:
    return _open(config, config.train_split, config.train_list)


def _open(config: DataConfig, split: str, list_file: str | None) -> Dataset:
    return open_dataset(config.dataset, config.root, split, list_file, incomplete=config.on_error == "skip")


def with_steps(config: RunConfig, images: int, ranks: int) -> RunConfig:
    """Return `config` with its length in steps, for a training on so many images and ranks."""
    steps = config.train.total_steps(images, ranks)
    return replace(config, train=replace(config.train, steps=steps, epochs=None))


def batches_from(training: Training, dataset: Dataset) -> Generator[Batch, None, None]:
    """Yield the batches of this rank from the current step to the last, `train.accumulate` of them for each step."""
    config, world = training.config, training.world
    accumulate = config.train.accumulate
    loader = build_loader(
        config.data,
        dataset,
        images_per_rank=config.train.images_per_device,
        seed=config.train.seed,
        rank=world.rank,
        world_size=world.size,
        # The loader counts batches: it goes on with the very images that the undisturbed run would see.
        start_step=training.step * accumulate,
        steps=training.steps * accumulate,
        stride=training.model.stride,
    )
    yield from loader


def restore(training: Training, run: RunDirectory, resume: str) -> bool:
    """Bring `training` to where `resume` says: `auto`, `never` or the path of a checkpoint. Return whether it moved.

    `auto` goes on from the run's last checkpoint, if there is one. `never` starts at step 0, and only in a directory
    without checkpoints, so that no work is overwritten by accident.

    Raises:
        UserError: the checkpoint cannot be read or belongs to another training, or there is one to be overwritten.
    """
    last = training_state.latest(run.checkpoints)
    if resume == "never":
        if last is not None:
            raise UserError(f"{last}: --resume never would overwrite this run; pass another --out, or --resume auto")
        return False
    if resume == "auto":
        if last is None:
            return False
        path = last
    else:
        path = Path(resume)
    try:
        training.load_state_dict(training_state.load(path))
    # What torch and the schedulers raise of a foreign state is no contract: any of these means that it does not fit.
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: belongs to another training ({reason[:300]})") from None
    return True
