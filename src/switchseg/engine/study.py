"""A study: one config trained with several norms, batch sizes and seeds, each combination for as many images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from switchseg.config.schema import DEFAULT_STEPS, RunConfig
from switchseg.errors import UserError
from switchseg.models.norm_names import NORM_NAMES


@dataclass(frozen=True)
class Combination:
    """One run of a study."""

    name: str
    """What its folder is called: the norm, and batch size and seed where the study varies them."""
    config: RunConfig


def combinations(
    config: RunConfig, norms: Sequence[str], images: Sequence[int] = (), seeds: Sequence[int] = ()
) -> list[Combination]:
    """Return the runs of a study: every norm with every number of images per device and every seed.

    All runs of a seed come before those of the next, so that a study that is stopped is whole for some seeds.

    Args:
        config: what the runs have in common; its own batch size and seed hold where none are given.
        norms: names of `NORM_NAMES`.
        images: per device in a step; see `with_images`.
        seeds: of initialisation and data order.

    Raises:
        UserError: there is no such norm, or a number of images is below 1.
    """
    for norm in norms:
        NORM_NAMES.require("--norms", norm)
    found = []
    # Each value once and in the order given: a study may be asked for the same seed twice by mistake.
    for seed in dict.fromkeys(seeds) or (config.train.seed,):
        for count in dict.fromkeys(images) or (config.train.images_per_device,):
            sized = with_images(config, count)
            seeded = replace(sized, train=replace(sized.train, seed=seed))
            suffix = (f"-images{count}" if images else "") + (f"-seed{seed}" if seeds else "")
            found += [
                Combination(f"{norm}{suffix}", replace(seeded, model=replace(config.model, norm=norm)))
                for norm in dict.fromkeys(norms)
            ]
    return found


def with_images(config: RunConfig, images: int) -> RunConfig:
    """Return `config` with another number of images per device, for as many images in all.

    Everything that is counted in steps keeps its place in the training: its length, the warm-up, and what is logged,
    evaluated and saved on the way; a calibration sees as many images. Learning rates stay as they are.

    Raises:
        UserError: `images` is below 1.
    """
    if images < 1:
        raise UserError(f"--images: {images}; 1 or more images per device were expected")

    def steps(count: int) -> int:
        # Rounded up, so that what happens every so many steps does not become 0, which switches it off.
        return -(-count * config.train.images_per_device // images)

    train = config.train
    return replace(
        config,
        optim=replace(config.optim, warmup_steps=steps(config.optim.warmup_steps)),
        train=replace(
            train,
            images_per_device=images,
            # Epochs count images, so they hold as they are.
            steps=None if train.epochs else steps(train.steps or DEFAULT_STEPS),
            log_every=steps(train.log_every),
            log_shares_every=steps(train.log_shares_every),
            checkpoint_every=steps(train.checkpoint_every),
            evaluate_every=steps(train.evaluate_every),
            # Batches, of which a step has `accumulate`, whatever their size.
            calibrate=steps(train.calibrate),
        ),
    )
