"""What an evaluation has counted so far, and how it survives being stopped."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from switchseg import files
from switchseg.data.dataset import Dataset
from switchseg.distributed import World
from switchseg.engine.inference import Rule
from switchseg.metrics import ImageScore, boundary_counts, confusion_matrix, image_score
from switchseg.models.segmenter import Segmenter

SECONDS_BETWEEN_SAVES = 60.0


class Tally:
    """Counts over the images of one rank, in the order that the rank goes through them.

    Args:
        num_classes: C.
        boundary: Also count along the boundaries.
        path: Where to keep the counts every minute; None keeps them nowhere.
        key: What the counts belong to; a file with another key is begun anew.
    """

    def __init__(self, num_classes: int, boundary: bool, path: Path | None, key: dict[str, Any]) -> None:
        self.matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64, device="cpu")
        self.boundary = torch.zeros(3, num_classes, dtype=torch.int64, device="cpu") if boundary else None
        self.per_image: list[ImageScore] = []
        self.seconds = 0.0
        self._path, self._key = path, key
        self._since = self._saved = time.perf_counter()
        if path is not None:
            self._restore(path)

    @property
    def images(self) -> int:
        """How many images have been counted."""
        return len(self.per_image)

    def add(self, name: str, prediction: npt.NDArray[np.integer], truth: npt.NDArray[np.integer]) -> None:
        """Count one image."""
        matrix = confusion_matrix(prediction, truth, len(self.matrix))
        self.matrix += matrix
        self.per_image.append(image_score(name, matrix))
        if self.boundary is not None:
            self.boundary += torch.from_numpy(boundary_counts(prediction, truth, len(self.matrix)))
        now = time.perf_counter()
        self.seconds += now - self._since
        self._since = now
        if now - self._saved > SECONDS_BETWEEN_SAVES:
            self._saved = now
            self.save()

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Write the counts if the block is left early, be it by Ctrl-C or by an image that cannot be read."""
        try:
            yield
        except BaseException:
            self.save()
            raise

    def total(self, world: World) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64] | None]:
        """Return the confusion matrix and the boundary counts over all ranks. Every rank must call it."""
        parts = (self.matrix, self.boundary)
        sums = (None if part is None else world.sum(part.to(world.device)).cpu().numpy() for part in parts)
        matrix, boundary = sums
        assert matrix is not None
        return matrix, boundary

    def total_per_image(self, world: World) -> list[ImageScore]:
        """Return the scores of all ranks' images in the order of the data set. Every rank must call it."""
        parts = world.gather(self.per_image)
        return [parts[index % world.size][index // world.size] for index in range(sum(map(len, parts)))]

    def save(self) -> None:
        """Write the counts to the file, if there is to be one, whole or not at all."""
        if self._path is None:
            return
        boundary = None if self.boundary is None else self.boundary.tolist()
        counts = {"matrix": self.matrix.tolist(), "boundary": boundary, "per_image": [*map(astuple, self.per_image)]}
        files.write_json(self._path, {"key": self._key, "seconds": self.seconds, **counts})

    def discard(self) -> None:
        """Remove the file; the evaluation is complete."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _restore(self, path: Path) -> None:
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return
        if state.get("key") != self._key:
            return
        self.matrix = torch.tensor(state["matrix"], dtype=torch.int64, device="cpu")
        if state["boundary"] is not None:
            self.boundary = torch.tensor(state["boundary"], dtype=torch.int64, device="cpu")
        self.per_image = [ImageScore(*values) for values in state["per_image"]]
        self.seconds = state["seconds"]


def tally_key(model: Segmenter, dataset: Dataset, rule: Rule, world: World, boundary: bool) -> dict[str, Any]:
    """Return everything that counts must agree on to be added up: weights, images, rule and share of the images."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in model.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    named = {"dataset": dataset.name, "classes": list(dataset.classes.names)}
    data = {**named, "images": len(dataset), "share": [world.rank, world.size]}
    rules = {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(rule).items()}
    return {"weights": digest.hexdigest(), **data, "rule": rules, "boundary": boundary}
