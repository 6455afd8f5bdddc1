"""What a training would make of a few images, for people to look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from switchseg.data import PIPELINES
from switchseg.data.augment.transform import Pair
from switchseg.data.config import DataConfig
from switchseg.data.dataset import Dataset
from switchseg.errors import UserError

_LOOKED_AT = 8  # samples for each one that is shown, of which some may be unfit


class Row(NamedTuple):
    """One image as it is stored, and several times as the pipeline makes it."""

    name: str
    stored: Pair
    made: list[Pair]


def draw_sheet(config: DataConfig, dataset: Dataset, *, images: int = 4, times: int = 5, seed: int = 0) -> list[Row]:
    """Return images spread over the data set, each made as in `times` places of a training run.

    Raises:
        UserError: a setting does not fit, or no image with a label can be read.
    """
    shown = dict(_labelled(dataset, images))
    if not shown:
        raise UserError(f"{dataset.name}: no image with a label can be read, so that there is nothing to augment")
    # People want to see something: a damaged file elsewhere in the data set is not what they asked about.
    config = dataclasses.replace(config, on_error="skip")
    # At stride 1, for labels that can be laid over the images.
    pipeline = PIPELINES[config.pipeline](config, dataset, len(shown), seed, 1)
    batches = [pipeline.batch(number, np.array(list(shown))) for number in range(times)]
    rows = []
    for place, (name, pair) in enumerate(shown.values()):
        made = []
        for batch in batches:
            height, width = batch.sizes[place].tolist()
            image, label = batch.images[place, :, :height, :width], batch.labels[place, :height, :width]
            made.append(Pair(image.permute(1, 2, 0).numpy(), label.numpy().astype(np.uint8)))
        rows.append(Row(name, pair, made))
    return rows


def _labelled(dataset: Dataset, count: int) -> Iterator[tuple[int, tuple[str, Pair]]]:
    """Yield up to `count` samples that can be trained on, by their numbers."""
    spread = [np.linspace(0, len(dataset) - 1, n).astype(int).tolist() for n in (count, _LOOKED_AT * count)]
    for index in dict.fromkeys(sum(spread, [])):
        try:
            sample = dataset.read(index)
        except UserError:
            continue
        if sample.label is not None:
            yield index, (sample.name, Pair(sample.image, sample.label))
            count -= 1
        if not count:
            return
