"""Images to try a model on: those that its run kept, or generated scenes with its classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from switchseg.data.images import read_image
from switchseg.data.order import generator
from switchseg.data.scenes.classes import SCENE_CLASSES
from switchseg.data.scenes.scene import Scene, make_scene

SAMPLES = 6
SAMPLE_SEED = 2018


def run_pictures(path: Path) -> list[npt.NDArray[np.uint8]]:
    """Return images [H, W, 3] that a run directory kept of its evaluation; none of other directories."""
    kept = sorted((path / "pictures").glob("*_image.jpg"))
    # Spread over the names; at both ends, whatever their number.
    places = np.linspace(0, len(kept) - 1, min(SAMPLES, len(kept))).round().astype(int)
    return [read_image(str(kept[place]), str(kept[place])) for place in places]


def sample_images(known: Sequence[str] = ()) -> list[npt.NDArray[np.uint8]]:
    """Return generated scenes, the same ones every time.

    Of four times as many they are those with most pixels of classes that are `known`, so that a model of streets is not
    shown rooms; among equals the widest, which fill a screen best.
    """
    names = {name.lower() for name in known}
    values = [index + 1 for index, name in enumerate(SCENE_CLASSES.names) if name in names]  # 0 is unlabelled
    scenes = [make_scene(generator(SAMPLE_SEED, index)) for index in range(4 * SAMPLES)]

    def rank(scene: Scene) -> tuple[int, float]:
        share = np.isin(scene.annotation, values).sum() / np.count_nonzero(scene.annotation)
        # In quarters: exact shares would leave no equals for the width to decide between.
        return -round(4 * share), scene.image.shape[0] / scene.image.shape[1]

    return [scene.image for scene in sorted(scenes, key=rank)[:SAMPLES]]
