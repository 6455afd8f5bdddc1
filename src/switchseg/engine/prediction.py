"""What a model says about one image, and the files that hold it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from switchseg.classes import Classes
from switchseg.engine.finished import SUBMISSION
from switchseg.engine.fusion import probability_tiles
from switchseg.engine.inference import Pixels
from switchseg.engine.pictures import label_image, overlay, save, shares_of, submission_image


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """What a model says about one image of H x W pixels. A notebook shows it as the tinted image."""

    image: Pixels
    """RGB uint8 [H, W, 3], as the model got it."""
    labels: npt.NDArray[np.integer]
    """Class index of every pixel [H, W], uint8 (int32 beyond 255 classes)."""
    confidence: npt.NDArray[np.float32]
    """Probability of that class [H, W]."""
    classes: Classes
    logits: tuple[Tensor, ...]
    """What the network returned at each scale, float32 [h, w, C]."""

    @property
    def probabilities(self) -> npt.NDArray[np.float32]:
        """The probabilities of all classes, [C, H, W]; computed on request, for they take 4 x C x H x W bytes."""
        # Filled tile by tile: softmaxed in one piece they would take that memory once more.
        values = np.empty((len(self.classes), *self.labels.shape), np.float32)
        with torch.inference_mode():
            for (rows, columns), tile in probability_tiles(self.logits, (self.labels.shape[0], self.labels.shape[1])):
                values[:, rows, columns] = tile.permute(2, 0, 1).cpu().numpy()
        return values

    @property
    def shares(self) -> dict[str, float]:
        """The fraction of the pixels that each class takes, by name, the largest first, absent classes left out."""
        shares = zip(self.classes.names, shares_of(self.labels, len(self.classes)), strict=True)
        return dict(sorted(((name, share) for name, share in shares if share), key=lambda entry: -entry[1]))

    def __repr__(self) -> str:
        height, width = self.labels.shape
        largest = ", ".join(f"{name} {100 * share:.0f} %" for name, share in [*self.shares.items()][:3])
        return f"Prediction({width}x{height}, {len(self.classes)} classes: {largest})"

    def _repr_png_(self) -> bytes:
        """Return what IPython shows."""
        content = io.BytesIO()
        self.overlay().save(content, "png")
        return content.getvalue()

    def overlay(self, opacity: float = 0.5) -> Image.Image:
        """Return the image tinted with the classes' colours."""
        return Image.fromarray(overlay(self.image, self.labels, self.classes, opacity))


def write_prediction(prediction: Prediction, out: Path, name: str, submission: bool = False) -> dict[str, float]:
    """Write NAME_labels.png and NAME_overlay.png and return the share of each class that occurs."""
    save(label_image(prediction.labels, prediction.classes), out / f"{name}_labels.png")
    save(prediction.overlay(), out / f"{name}_overlay.png")
    if submission:
        save(submission_image(prediction.labels, prediction.classes), out / SUBMISSION / f"{name}.png")
    return {key: round(share, 6) for key, share in prediction.shares.items()}
