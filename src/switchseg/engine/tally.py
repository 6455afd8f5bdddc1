"""What an evaluation has counted so far, and how it survives being stopped."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from switchseg import files
from switchseg.distributed import World
from switchseg.engine.seams import Seams
from switchseg.metrics import ImageScore, boundary_counts, confusion_matrix, image_score

SECONDS_BETWEEN_SAVES = 60.0


class Tally:
    """Counts over the images of one rank, in the order that the rank goes through them.

    Args:
        num_classes: C.
        boundary: Also count along the boundaries.
        path: Where to keep the counts every minute; None keeps them nowhere.
        key: What the counts belong to; a file with another key is begun anew.
        data: Number of images -> what tells the first so many of this rank from other images. A file with counts of
            other images is begun anew as well; images that are still to come may change, so that an evaluation goes
            on once the image that stopped it has been mended.
    """

    def __init__(
        self,
        num_classes: int,
        boundary: bool,
        path: Path | None,
        key: dict[str, Any],
        data: Callable[[int], list[str]],
    ) -> None:
        self.matrix = torch.zeros(num_classes, num_classes, dtype=torch.int64, device="cpu")
        self.boundary = torch.zeros(3, num_classes, dtype=torch.int64, device="cpu") if boundary else None
        self.seams = Seams()
        self.per_image: list[ImageScore] = []
        self.seconds = 0.0
        self._path, self._key, self._data = path, key, data
        self._since = self._saved = time.perf_counter()
        if path is not None:
            self._restore(path)

    @property
    def images(self) -> int:
        """How many images have been counted."""
        return len(self.per_image)

    def add(
        self,
        name: str,
        prediction: npt.NDArray[np.integer],
        truth: npt.NDArray[np.integer],
        seams: Seams = Seams(),  # noqa: B008 - a tuple
    ) -> None:
        """Count one image, and the seams of its prediction."""
        self.seams = self.seams.plus(seams)
        matrix = confusion_matrix(prediction, truth, len(self.matrix))
        self.matrix += matrix
        self.per_image.append(image_score(name, matrix))
        if self.boundary is not None:
            self.boundary += torch.from_numpy(boundary_counts(prediction, truth, len(self.matrix)))
        now = time.perf_counter()
        self.seconds += now - self._since
        self._since = now
        # By time and not by images: the file grows with them, and writing it must stay a small part.
        if now - self._saved > SECONDS_BETWEEN_SAVES:
            self._saved = now
            self.save()

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Write the counts if the block is left early, be it by Ctrl-C or by an image that cannot be read."""
        try:
            yield
        # Ctrl-C is no Exception, and it is the usual way in which a long evaluation ends.
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

    def total_seams(self, world: World) -> Seams:
        """Return the seams of all ranks' images. Every rank must call it."""
        return Seams(*world.sum(torch.tensor(self.seams, device=world.device)).tolist())

    def total_per_image(self, world: World) -> list[ImageScore]:
        """Return the scores of all ranks' images in the order of the data set. Every rank must call it."""
        parts = world.gather(self.per_image)
        # The ranks took the images in turn, rank r the images r, r + size and so on.
        return [parts[index % world.size][index // world.size] for index in range(sum(map(len, parts)))]

    def save(self) -> None:
        """Write the counts to the file, if there is to be one and something was counted, whole or not at all."""
        if self._path is None or not self.images:
            return
        boundary = None if self.boundary is None else self.boundary.tolist()
        counts = {"matrix": self.matrix.tolist(), "boundary": boundary, "seams": self.seams}
        counts |= {"per_image": [*map(astuple, self.per_image)]}
        state = {"key": self._key, "data": self._data(self.images), "seconds": self.seconds, **counts}
        files.write_json(self._path, state)

    def discard(self) -> None:
        """Remove the file; the evaluation is complete."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _restore(self, path: Path) -> None:
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            if state["key"] != self._key or state["data"] != self._data(len(state["per_image"])):
                return
            matrix = torch.tensor(state["matrix"], dtype=torch.int64, device="cpu").view_as(self.matrix)
            boundary = (
                None if self.boundary is None else torch.tensor(state["boundary"], dtype=torch.int64, device="cpu")
            )
            per_image = [ImageScore(*values) for values in state["per_image"]]
            seams = Seams(*map(int, state["seams"]))
            seconds = float(state["seconds"])
        except (KeyError, OSError, RecursionError, RuntimeError, TypeError, ValueError):
            return  # of another evaluation or damaged: counting begins anew
        # All or nothing: everything has been read before the first count is replaced.
        self.matrix, self.boundary, self.seams = matrix, boundary, seams
        self.per_image, self.seconds = per_image, seconds
