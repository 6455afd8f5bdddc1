"""Looking through a data set for suspect labels, and what is written of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from switchseg import files
from switchseg.classes import Classes
from switchseg.config.inference import Compute, Rule
from switchseg.data.dataset import Dataset
from switchseg.data.sample import Sample
from switchseg.engine.ahead import read_ahead
from switchseg.engine.fusion import probability_tiles
from switchseg.engine.inference import evaluating, logit_maps
from switchseg.engine.network import Network
from switchseg.engine.pictures import save
from switchseg.engine.progress import progress
from switchseg.engine.suspects.regions import Region, Typical, doubt, regions
from switchseg.errors import UserError
from switchseg.models.segmenter import Segmenter

FILE = "suspects.json"
RULE = (
    "Connected pixels whose label says one class while another is likelier and about as sure as it is where labels say "
    "it; ordered by the mean lead in probability, times the root of the pixels, times the fourth root of their share "
    "of the label's segment."
)
Tiles = Iterator[tuple[tuple[slice, slice], npt.NDArray[np.float32]]]
_OUTLINE = (255, 60, 0)
_PICTURE_SIDE = 360


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


def write_suspects(
    folder: Path,
    suspects: list[Suspect],
    typical: npt.NDArray[np.float64],
    images: int,
    classes: Classes,
    pictures: int,
) -> None:
    """Write what was found in so many images to `folder`: suspects.json, suspects.csv, and the first `pictures`."""
    shown = {rank: f"{rank:03d}.jpg" for rank in range(1, min(pictures, len(suspects)) + 1)}
    # Pictures of an earlier search would go by the ranks of this one.
    for old in folder.glob("[0-9][0-9][0-9].jpg"):
        old.unlink()
    for rank, name in shown.items():
        suspect = suspects[rank - 1]
        sample = suspect.part.dataset.read(suspect.index)
        save(picture(sample, suspect.region), folder / name)
    entries = [
        {**_entry(suspect, classes), "rank": rank, "picture": shown.get(rank)}
        for rank, suspect in enumerate(suspects, start=1)
    ]
    names = zip(classes.names, typical.tolist(), strict=True)
    content = {
        "rule": RULE,
        "images_searched": images,
        "typical_confidence": {name: None if np.isnan(value) else value for name, value in names},
        "regions": entries,
        "images": _by_image(suspects),
    }
    files.write_text(folder / "suspects.csv", _table(entries))
    files.write_json(folder / FILE, content)


def picture(sample: Sample, region: Region) -> Image.Image:
    """Return the surroundings of a region with its outline."""
    assert sample.label is not None
    top, left, bottom, right = region.box
    margin = max(16, max(bottom - top, right - left) // 2)
    height, width = sample.label.shape
    window = np.s_[
        max(0, top - margin) : min(height, bottom + margin), max(0, left - margin) : min(width, right + margin)
    ]
    crop = np.ascontiguousarray(sample.image[window])
    factor = _PICTURE_SIDE / max(crop.shape[:2])
    crop = cv2.resize(crop, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    corner = (window[1].start, window[0].start)
    # `corner` is (x, y) once for each of the two corners.
    ends = [round((end - start) * factor) for end, start in zip((left, top, right, bottom), 2 * corner, strict=True)]
    cv2.rectangle(crop, (ends[0], ends[1]), (ends[2], ends[3]), _OUTLINE, 2)
    return Image.fromarray(crop)


def _samples(parts: Sequence[Part]) -> Iterable[tuple[Part, int, Sample, npt.NDArray[np.integer]]]:
    for part in parts:
        for index, reading in read_ahead(part.dataset.read, range(len(part.dataset))):
            sample = reading.result()
            if sample.label is None:
                raise UserError(f"{sample.name}: an image without a label has none to be doubted")
            yield part, index, sample, sample.label


def _entry(suspect: Suspect, classes: Classes) -> dict[str, Any]:
    region = suspect.region
    return {
        "image": suspect.image,
        "split": suspect.part.split,
        "given": classes.names[region.given],
        "likelier": classes.names[region.likelier],
        "score": round(region.score, 4),
        "confidence": round(region.confidence, 4),
        "pixels": region.pixels,
        "box": list(region.box),
    }


def _by_image(suspects: list[Suspect]) -> list[dict[str, Any]]:
    scores: dict[tuple[str, str], list[float]] = {}
    for suspect in suspects:
        scores.setdefault((suspect.part.split, suspect.image), []).append(suspect.region.score)
    ranked = sorted(scores.items(), key=lambda item: -sum(item[1]))
    return [
        {"image": image, "split": split, "score": round(sum(values), 4), "regions": len(values)}
        for (split, image), values in ranked
    ]


def _table(entries: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    plain = ("rank", "image", "split", "given", "likelier", "score", "confidence", "pixels")
    table.writerow([*plain, "top", "left", "bottom", "right"])
    table.writerows([*(entry[key] for key in plain), *entry["box"]] for entry in entries)
    return text.getvalue()
