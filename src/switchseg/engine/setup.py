"""From a config to the objects of a training: data sets, batches, and the checkpoint to go on from."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from switchseg import files
from switchseg.checkpoints import training_state
from switchseg.config.schema import RunConfig
from switchseg.data.config import DataConfig
from switchseg.data.dataset import Dataset
from switchseg.data.datasets import open_dataset
from switchseg.data.held_out import hold_out
from switchseg.data.loader import build_loader
from switchseg.data.sample import Batch
from switchseg.distributed import World
from switchseg.engine.data_checks import same_images
from switchseg.engine.training import Training
from switchseg.errors import UserError
from switchseg.runs.directory import RunDirectory


def open_training(config: DataConfig) -> Dataset:
    """Open what is trained on: the training split, without the images that `data.val_fraction` holds out."""
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
    """Return the batches of this rank from the current step to the last, `train.accumulate` of them for each step.

    Raises:
        UserError: a setting does not fit; while they are taken, a file cannot be used.
    """
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
    return iter(loader)


def restore(training: Training, run: RunDirectory, resume: str) -> bool:
    """Bring `training` to where `resume` says: `auto`, `never` or the path of a checkpoint. Return whether it moved.

    `auto` goes on from the run's last checkpoint, if there is one. `never` starts at step 0, and only in a directory
    without checkpoints, so that no work is overwritten by accident. Every rank must call it.

    Raises:
        UserError: the checkpoint cannot be read, belongs to another training or to a longer one, or there is one to be
            overwritten; or the ranks do not find the same one. All ranks raise it.
    """
    path, state = _same_on_all_ranks(run, resume, training.world)
    if path is None or state is None:
        return False
    try:
        if state["step"] > training.steps:
            # The config would say less than the weights have seen, and so would every report.
            raise UserError(
                f"{path}: has seen {state['step']} steps, more than the {training.steps} that train.steps or "
                "train.epochs give; keep at least as many to go on, or pass another --out for a new run"
            )
        training.load_state_dict(state)
    # What torch and the schedulers raise of a foreign state is no contract: any of these means that it does not fit.
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path}: belongs to another training ({reason[:300]})") from None
    return True


def _same_on_all_ranks(run: RunDirectory, resume: str, world: World) -> tuple[Path | None, dict[str, Any] | None]:
    """Return the checkpoint that `resume` stands for and what is in it, None for step 0."""
    path, state, place, fault = None, None, "step 0 without a checkpoint", None
    try:
        path = _checkpoint(run, resume)
        if path is not None:
            state = training_state.load(path)
            # By content too: a node may have a copy of the run as it was once.
            content = files.digest(path) if world.size > 1 else None
            place = f"step {state['step']} of {path} ({str(content)[:12]})"
    except UserError as error:
        fault = str(error)
    # Told to all before any leaves: the others would wait, or train from somewhere else.
    for other in world.gather([fault]):
        if other[0] is not None:
            raise UserError(other[0])
    ranks: dict[str, list[int]] = {}
    for rank, found in enumerate(world.gather([place])):
        ranks.setdefault(found[0], []).append(rank)
    if len(ranks) > 1:
        found_by = ", ".join(f"{_named(of)} at {place}" for place, of in ranks.items())
        raise UserError(
            f"the ranks would not begin at the same place: {found_by}; every node needs the run directory {run.path}"
        )
    return path, state


def _named(ranks: Sequence[int]) -> str:
    return f"rank{'s' if len(ranks) > 1 else ''} {' '.join(map(str, ranks))}"


def _checkpoint(run: RunDirectory, resume: str) -> Path | None:
    last = training_state.latest(run.checkpoints)
    if resume == "never" and last is not None:
        raise UserError(f"{last}: --resume never would overwrite this run; pass another --out, or --resume auto")
    return last if resume in ("auto", "never") else Path(resume)
