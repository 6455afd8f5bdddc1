"""The files of a run directory, one reader each: what is missing reads as nothing, what is damaged is named."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from switchseg.classes import Classes
from switchseg.errors import UserError
from switchseg.runs.journal import events_of
from switchseg.text import parse_yaml, read_text

Record = dict[str, Any]


def read_log(path: Path) -> tuple[dict[str, list[Record]], float, int]:
    """Return event name -> records, the seconds at work over all sessions, and how many lines could not be read.

    The beginnings of all sessions, the first one and those that went on, are the records of "start".
    """
    lines = path.read_bytes().splitlines()
    records = [record for record in events_of(lines) if _is_whole(record)]
    events: dict[str, list[Record]] = {}
    seconds, previous = 0.0, None
    for record in records:
        kind = "start" if record["event"] == "resume" else record["event"]
        if kind == "start":
            events.pop("end", None)  # the run goes on after all
        # The time between two sessions is not counted, since a stopped run does not work.
        elif previous is not None:
            seconds += max(0.0, record["time"] - previous)
        previous = record["time"]
        events.setdefault(kind, []).append(record)
    return events, seconds, sum(bool(line.strip()) for line in lines) - len(records)


def _is_whole(record: Record) -> bool:
    """Whether what the report reads of a record, beyond its single numbers, is as a training writes it."""
    if record["event"] in ("start", "resume"):
        return isinstance(record.get("environment", {}), dict)
    if record["event"] != "shares":
        return True
    layers = record.get("layers")
    return isinstance(layers, dict) and all(
        isinstance(moments, dict) and all(_are_numbers(moments.get(kind)) for kind in ("mean", "var"))
        for moments in layers.values()
    )


def _are_numbers(values: Any) -> bool:
    return isinstance(values, dict) and all(is_number(value) for value in values.values())


def is_number(value: Any) -> bool:
    """Whether a value of a JSON file is a number that can be drawn."""
    # The comparison is false for NaN too, which JSON from Python may hold.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


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
        classes = Classes.from_json(read_json(path)["classes"])
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise UserError(f"{path}: no list of classes with a name and a color each ({error})") from None
    for name, colour in zip(classes.names, classes.palette, strict=True):
        if not isinstance(name, str) or not all(isinstance(value, int) and 0 <= value <= 255 for value in colour):
            raise UserError(f"{path}: a class must have a name and a color of 0 .. 255, but one is {name!r} {colour}")
    return classes


def read_confusion(path: Path) -> np.ndarray[Any, Any] | None:
    """Return the confusion matrix, int64 [C, C]."""
    if not path.is_file():
        return None
    rows = _rows(path)[1:]
    try:
        matrix = np.array([[int(cell) for cell in row[1:]] for row in rows], dtype=np.int64)
    except (OverflowError, ValueError) as error:
        raise UserError(f"{path}: not a matrix of whole numbers ({error})") from None
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.size:
        raise UserError(f"{path}: the confusion matrix has the shape {matrix.shape}, not as many rows as columns")
    if matrix.min() < 0:
        raise UserError(f"{path}: a confusion matrix holds counts, but one is {matrix.min()}")
    return matrix


def read_image_scores(path: Path) -> dict[str, float]:
    """Return image name -> mean IoU of that image; those without a labelled pixel are left out."""
    if not path.is_file():
        return {}
    head, *rows = _rows(path) or [[]]
    scores: dict[str, float] = {}
    for number, row in enumerate(rows, start=2):
        # A line that a crash cut off is short, and then lacks a key that is named below.
        entry = dict(zip(head, row, strict=False))
        try:
            score = float(entry["mean_iou"])
            if not math.isnan(score):
                scores[entry["image"]] = score
        except (KeyError, ValueError) as error:
            raise UserError(f"{path}, line {number}: not a table with image and mean_iou ({error})") from None
    return scores


def read_suspects(path: Path) -> Record:
    """Return what `switchseg suspects` found, an empty dict where it was not called.

    Raises:
        UserError: the file is damaged.
    """
    if not path.is_file():
        return {}
    found: Record = read_json(path)
    needed = {"rule", "regions", "images", "images_searched"}
    whole = isinstance(found, dict) and needed <= found.keys()
    if not whole or not all(isinstance(e, dict) and e.keys() >= _REGION for e in found["regions"]):
        raise UserError(f"{path}: not a list of suspect regions; `switchseg suspects` writes it anew")
    return found


_REGION = {"rank", "image", "split", "given", "likelier", "score", "confidence", "pixels", "picture"}


def read_json(path: Path) -> Any:
    """Return the content of a JSON file."""
    try:
        return json.loads(_text(path))
    except (RecursionError, ValueError) as error:
        raise UserError(f"{path}: not JSON ({error})") from None


def _rows(path: Path) -> list[list[str]]:
    try:
        return list(csv.reader(_text(path).splitlines()))
    except csv.Error as error:
        raise UserError(f"{path}: not a table of comma-separated values ({error})") from None


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line}: no text in UTF-8 (byte {error.start} of the file)") from None
