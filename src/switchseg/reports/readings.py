"""Small pictures of one sample, its labels read in each of the ways that are possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from switchseg.classes import Classes
from switchseg.data.advice import Advice
from switchseg.data.dataset import StoredDataset
from switchseg.data.images import read_image
from switchseg.data.label_files import read_label
from switchseg.data.labels import Meaning
from switchseg.data.proposal import combined, meaning_with
from switchseg.engine.pictures import legend, overlay
from switchseg.errors import UserError

_SIDE = 320  # longest side in pixels
_LOOKED_AT = 40  # samples, of which the one with the most to see is shown
_MOST_CLASSES = 25  # in a legend


def draw_readings(
    dataset: StoredDataset, settings: dict[str, Any], advices: Sequence[Advice]
) -> dict[tuple[int, int], Image.Image]:
    """Return a picture of each reading of each advice that has several, by their numbers."""
    pictures = {}
    for number, advice in enumerate(advices):
        meanings = [meaning_with(combined(settings, r.settings), dataset.meaning) for r in advice.readings]
        if len(meanings) < 2 or (index := _telling(dataset, meanings)) is None:
            continue
        for place, meaning in enumerate(meanings):
            pictures[number, place] = _picture(*_read(dataset, index, meaning), meaning.classes)
    return pictures


def _telling(dataset: StoredDataset, meanings: Sequence[Meaning]) -> int | None:
    """Return the sample that the readings give the most different labels of; None if none can be read."""
    scores: dict[int, int] = {}
    for index in np.linspace(0, len(dataset) - 1, min(_LOOKED_AT, len(dataset))).astype(int).tolist():
        try:
            seen = [_read(dataset, index, meaning) for meaning in meanings]
        except UserError:
            continue
        differ = any(not np.array_equal(seen[0][part], other[part]) for other in seen[1:] for part in range(2))
        # A sample that all readings agree on shows nothing; of the others, the one with the most classes says most.
        scores[index] = differ * (1 + len(np.unique(seen[0][1])))
    return max(scores, key=lambda index: scores[index]) if scores else None


def _read(dataset: StoredDataset, index: int, meaning: Meaning) -> tuple[np.ndarray, np.ndarray]:
    """Return image and label of a sample by one reading; what stands for no class is ignored."""
    record = dataset.record(index)
    if record.label is None:
        raise UserError(f"{record.image_name}: no label")
    upright = meaning.exif_orientation != "ignore"
    image = read_image(record.image, record.image_name, upright=upright)
    stored = read_label(record.label, record.label_name, meaning.label_map.colours)
    if image.shape[:2] != stored.shape[:2]:
        # Whether labels were made on the image as stored or as turned shows only in their sizes.
        image = read_image(record.image, record.image_name, upright=not upright)
    if image.shape[:2] != stored.shape[:2]:
        raise UserError(f"{record.label_name}: image and label have different sizes")
    return image, meaning.label_map.lookup(stored)


def _picture(image: np.ndarray, label: np.ndarray, classes: Classes) -> Image.Image:
    """Return the tinted image beside the colours of the classes."""
    tinted = Image.fromarray(overlay(image, label, classes, 0.6))
    tinted.thumbnail((_SIDE, _SIDE))
    if len(classes) > _MOST_CLASSES:
        return tinted
    key = legend(classes)
    picture = Image.new("RGB", (tinted.width + key.width, max(tinted.height, key.height)), "white")
    picture.paste(tinted, (0, 0))
    picture.paste(key, (tinted.width, 0))
    return picture
