"""Looking through a data set for suspect labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from switchseg.classes import Classes
from switchseg.config.inference import Compute, Rule
from switchseg.data.dataset import Dataset
from switchseg.data.sample import Sample
from switchseg.engine.ahead import read_ahead
from switchseg.engine.fusion import probability_tiles
from switchseg.engine.inference import evaluating, logit_maps
from switchseg.engine.network import Network
from switchseg.engine.progress import progress
from switchseg.engine.suspects.regions import Region, Typical, doubt, regions
from switchseg.errors import UserError
from switchseg.models.segmenter import Segmenter

Tiles = Iterator[tuple[tuple[slice, slice], npt.NDArray[np.float32]]]


class Part(NamedTuple):
    """Images, and the model that is asked about them."""

    split: str
    dataset: Dataset
    """Its classes are in the model's order."""
    tiles: Callable[[Sample], Tiles]
    """Returns what the model says about an image: ((rows, columns), probabilities) that cover it. It is asked twice:
    what is typical must be known before a pixel can be judged."""


@dataclass(frozen=True)
class Suspect:
    """A region together with where it is."""

    part: Part
    index: int
    """In the part's data set."""
    image: str
    region: Region


def search(
    parts: Sequence[Part], classes: Classes, *, quiet: bool = False
) -> tuple[list[Suspect], npt.NDArray[np.float64]]:
    """Return the suspect regions of all parts, the most suspect first, and each class's typical confidence [C].

    Args:
        parts: What to look through.
        classes: What the models know.
        quiet: Show no progress.
    """
    typical = Typical(len(classes))
    total = 2 * sum(len(part.dataset) for part in parts)
    found: list[Suspect] = []
    with progress("suspects", total, shown=not quiet) as count:
        for part, _, sample, label in _samples(parts):
            for tile, probabilities in part.tiles(sample):
                typical.add(probabilities, label[tile])
            count(1)
        # What is typical takes all images, and their probabilities would not fit into memory: they are computed twice.
        means = typical.mean()
        for part, index, sample, label in _samples(parts):
            judged = regions(doubt(part.tiles(sample), label, means), label)
            found += [Suspect(part, index, sample.name, region) for region in judged]
            count(1)
    return sorted(found, key=lambda suspect: -suspect.region.score), means


def model_tiles(model: Segmenter, rule: Rule, compute: Compute) -> Callable[[Sample], Tiles]:
    """Return what `search` asks a model with, which must be on the device to compute on."""
    network = Network(model, compute)

    def tiles(sample: Sample) -> Tiles:
        assert sample.label is not None
        with evaluating(model):
            maps = logit_maps(model, [sample.image], rule, compute, network)[0]
        height, width = sample.label.shape
        for tile, probabilities in probability_tiles(maps, (height, width)):
            yield tile, probabilities.cpu().numpy()

    return tiles


def _samples(parts: Sequence[Part]) -> Iterable[tuple[Part, int, Sample, npt.NDArray[np.integer]]]:
    for part in parts:
        for index, reading in read_ahead(part.dataset.read, range(len(part.dataset))):
            sample = reading.result()
            if sample.label is None:
                raise UserError(f"{sample.name}: an image without a label has none to be doubted")
            yield part, index, sample, sample.label
