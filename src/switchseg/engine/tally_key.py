"""What the counts of an evaluation belong to: only those of the same weights, rule and images may be added up."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from switchseg.config.inference import Rule
from switchseg.data.composed import Subset
from switchseg.data.dataset import Dataset, StoredDataset
from switchseg.distributed import World
from switchseg.models.segmenter import Segmenter


def tally_key(model: Segmenter, dataset: Dataset, rule: Rule, world: World, boundary: bool) -> dict[str, Any]:
    """Return everything that counts must agree on to be added up: weights, images, rule and share of the images."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        # As bytes: NumPy has no bfloat16.
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    data = {"dataset": dataset.name, "images": len(dataset), "share": [world.rank, world.size]}
    data |= {"classes": list(dataset.classes.names), "model_classes": list(model.spec.classes.names)}
    # Lists, for that is what JSON returns: a tuple would never equal what was saved.
    rules = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(rule).items()}
    return {"weights": digest.hexdigest(), **data, "rule": rules, "boundary": boundary}


def data_key(dataset: Dataset, indices: Sequence[int]) -> list[str]:
    """Return the data set's name and a hash of these files' names, sizes and times of change.

    Of a data set that does not say where its files lie only the name is returned.
    """
    digest = hashlib.blake2b(digest_size=16)
    # Down to the files: a part of a part tells its images by the numbers of the whole.
    while isinstance(dataset, Subset):
        indices = [dataset.indices[index] for index in indices]
        dataset = dataset.dataset
    if not isinstance(dataset, StoredDataset):
        return [dataset.name]
    for index in indices:
        record = dataset.record(index)
        digest.update(f"{record.image_name}\n{record.label_name}\n".encode())
        for source in (record.image, record.label):
            if isinstance(source, bytes):
                digest.update(hashlib.blake2b(source).digest())
            elif source is not None:
                with contextlib.suppress(OSError):  # the evaluation will say so
                    found = os.stat(source)
                    digest.update(f"{found.st_size} {found.st_mtime_ns}\n".encode())
    return [dataset.name, digest.hexdigest()]
