"""The files of a run directory, one reader each: what is missing reads as nothing, what is damaged is named."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from switchseg.data.classes import Classes
from switchseg.data.text import parse_yaml, read_text
from switchseg.errors import UserError

Record = dict[str, Any]


def read_log(path: Path) -> tuple[dict[str, list[Record]], float, int]:
    """Return event name -> records, the seconds at work over all sessions, and how many lines could not be read."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    records = list(records_of(lines))
    events: dict[str, list[Record]] = {}
    seconds, previous = 0.0, None
    for record in records:
        if record["event"] == "start":
            events.pop("end", None)  # the run goes on after all
        elif previous is not None:
            seconds += max(0.0, record["time"] - previous)
        previous = record["time"]
        events.setdefault(record["event"], []).append(record)
    return events, seconds, sum(bool(line.strip()) for line in lines) - len(records)


def records_of(lines: Sequence[str]) -> Iterator[Record]:
    """Yield the events of a log; a run that is being written, or was killed, may end in half a line."""
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and {"event", "step", "time"} <= record.keys():
            yield record


def read_config(path: Path) -> Record:
    """Return the settings of a run."""
    if not path.is_file():
        return {}
    config = parse_yaml(read_text(path), path)
    return config if isinstance(config, dict) else {}


def read_classes(path: Path) -> Classes | None:
    """Return the classes of a model directory's config."""
    if not path.is_file():
        return None
    try:
        return Classes.from_json(read_json(path)["classes"])
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise UserError(f"{path}: no list of classes with a name and a color each ({error})") from None


def read_confusion(path: Path) -> np.ndarray[Any, Any] | None:
    """Return the confusion matrix, int64 [C, C]."""
    if not path.is_file():
        return None
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    try:
        matrix = np.array([[int(cell) for cell in row[1:]] for row in rows], dtype=np.int64)
    except ValueError as error:
        raise UserError(f"{path}: not a matrix of whole numbers ({error})") from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise UserError(f"{path}: the confusion matrix has the shape {matrix.shape}, not as many rows as columns")
    return matrix


def read_image_scores(path: Path) -> dict[str, float]:
    """Return image name -> mean IoU of that image; those without a labelled pixel are left out."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    try:
        scores = {row["image"]: float(row["mean_iou"]) for row in rows}
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: not a table with image and mean_iou ({error})") from None
    return {name: score for name, score in scores.items() if not math.isnan(score)}


def read_json(path: Path) -> Any:
    """Return the content of a JSON file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error})") from None
