"""How many labels of images in windows equal those of the images in one piece, and the seams that are left."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import tyro

from switchseg.cli.arguments import parse
from switchseg.config.inference import Rule
from switchseg.data.images import read_image
from switchseg.data.paths import files_below
from switchseg.engine.predictor import Predictor
from switchseg.engine.seams import Seams, find_seams


@dataclass(frozen=True, kw_only=True)
class WindowFlags:
    """Compare windows, plain and with the statistics of the whole image, with images in one piece."""

    model: tyro.conf.Positional[Path]
    """A model directory, or a run directory."""
    images: tyro.conf.Positional[Path]
    """A folder of images."""
    every: int = 1
    """Take one of so many images."""
    short_side: int = 360
    windows: tuple[int, ...] = (240, 256)
    """Sides of windows in pixels."""
    strides: tuple[int, ...] = (160, 160)
    """From one window to the next, for each of them."""
    mosaic: int = 1
    """Lay so many images across, and as many down, side by side as one."""
    threads: int = 1


@dataclass
class Row:
    """What was found of one rule."""

    equal: list[float]
    """The share of labels that equal those of each image in one piece."""
    seams: Seams = Seams()
    """Of the labels by this rule, where its windows meet."""
    unseamed: Seams = Seams()
    """Of the labels of the images in one piece, at the same places."""
    seconds: float = 0.0
    """CPU time of all images."""


def run(arguments: Sequence[str]) -> None:
    """Measure, and print a line for each kind of window after every image."""
    flags = parse(WindowFlags, "bench windows", arguments)
    torch.set_num_threads(flags.threads)
    short_side = flags.short_side * flags.mosaic
    whole = Rule(short_sides=(short_side,), max_long_side=4 * short_side)
    rules = {"in one piece": whole}
    for window, stride in zip(flags.windows, flags.strides, strict=True):
        plain = replace(whole, window=window, stride=stride)
        rules[f"{window} every {stride}"] = plain
        rules[f"{window} every {stride}, whole-image statistics"] = replace(plain, whole_image_statistics=True)
    predictor = Predictor(flags.model, rule=whole, device="cpu")
    rows = {name: Row([]) for name in rules}
    paths = sorted(files_below(flags.images))[:: flags.every]
    for start in range(0, len(paths) - flags.mosaic**2 + 1, flags.mosaic**2):
        image = _mosaic([read_image(flags.images / path) for path in paths[start : start + flags.mosaic**2]])
        labels = {name: _label(predictor, rule, image, rows[name]) for name, rule in rules.items()}
        for name, rule in rules.items():
            rows[name].equal.append(float((labels[name] == labels["in one piece"]).mean()))
            rows[name].seams = rows[name].seams.plus(find_seams(labels[name], rule, predictor.model))
            rows[name].unseamed = rows[name].unseamed.plus(find_seams(labels["in one piece"], rule, predictor.model))
        print(f"{len(rows['in one piece'].equal)} images", flush=True)
        for name, row in rows.items():
            seams = f"seams {row.seams.describe()}, in one piece {row.unseamed.describe()}"
            equal = f"{100 * np.mean(row.equal):.2f} % equal, at least {100 * min(row.equal):.2f} %"
            print(f"{name:<38} {equal}, {seams}, {row.seconds / len(row.equal):.2f} CPU s an image", flush=True)


def _mosaic(images: Sequence[np.ndarray]) -> np.ndarray:
    across = math.isqrt(len(images))
    rows = [np.concatenate(images[start : start + across], 1) for start in range(0, len(images), across)]
    return np.concatenate(rows)


def _label(predictor: Predictor, rule: Rule, image: np.ndarray, row: Row) -> np.ndarray:
    predictor.rule = rule
    began = time.process_time()
    labels = predictor(image).labels
    row.seconds += time.process_time() - began
    return labels
