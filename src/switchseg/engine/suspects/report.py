"""What is written of suspect labels: all as JSON and as a table, and pictures of the first."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from switchseg import files
from switchseg.classes import Classes
from switchseg.data.sample import Sample
from switchseg.engine.pictures import save
from switchseg.engine.suspects.regions import Region
from switchseg.engine.suspects.search import Suspect

FILE = "suspects.json"
RULE = (
    "Connected pixels whose label says one class while another is likelier and about as sure as it is where labels say "
    "it; ordered by the mean lead in probability, times the root of the pixels, times the fourth root of their share "
    "of the label's segment."
)
_OUTLINE = (255, 60, 0)
_PICTURE_SIDE = 360


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
