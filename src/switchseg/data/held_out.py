"""A validation split made from the training split: which images are held out depends on their names alone."""

from __future__ import annotations

import hashlib

import numpy as np

from switchseg.data.composed import Subset
from switchseg.data.dataset import Dataset, StoredDataset
from switchseg.errors import UserError


def hold_out(dataset: Dataset, fraction: float, seed: int, fold: int = 0) -> tuple[Subset, Subset]:
    """Return the images that are trained on and those that are held out, each in the order of `dataset`.

    Every name is hashed together with the seed to a number from 0 to 1. With fold 0, an image is held out if its number
    is below `fraction`: it stays on its side whatever other images come or go, and on every rank. There is at least one
    on each side.

    Args:
        dataset: The images to divide.
        fraction: Share of them to hold out.
        seed: Another one divides them otherwise.
        fold: Which part of the numbers is held out, from `fold` to `fold + 1` times the fraction: with 1/n, the folds
            0 to n-1 hold out every image once.

    Raises:
        UserError: there are fewer than two images.
    """
    if len(dataset) < 2:
        raise UserError(f"data.val_fraction: the data set {dataset.name} has {len(dataset)} images; 2 or more expected")
    places = np.array([_place(name, seed) for name in _names(dataset)])
    held = (places / fraction).astype(np.int64) == fold
    # A small fraction of a few images may hit none of them, and a large one all. By their order, since images of one
    # name have one place.
    order = places.argsort(kind="stable")
    if not held.any():
        held[order[min(fold, len(order) - 1)]] = True
    if held.all():
        held[order[-1]] = False
    trained, kept = (np.flatnonzero(side).tolist() for side in (~held, held))
    return Subset(dataset, trained), Subset(dataset, kept)


def _names(dataset: Dataset) -> list[str]:
    indices = range(len(dataset))
    if isinstance(dataset, StoredDataset):  # without reading the images
        return [dataset.name_of(index) for index in indices]
    return [dataset.read(index).name for index in indices]


def _place(name: str, seed: int) -> float:
    # Not `hash`, which differs from process to process: ranks would hold out different images.
    digest = hashlib.blake2b(f"{seed}/{name}".encode("utf-8", "surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
