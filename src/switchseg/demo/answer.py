"""What the page gets to draw: the image, every model's label map, and the classes that occur; one JSON text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from switchseg.demo.colours import see_through
from switchseg.engine.pictures import label_image
from switchseg.engine.prediction import Prediction
from switchseg.reports.images import data_uri


def answer(predictions: Mapping[str, Prediction], *, stem: str = "image", remark: str = "") -> str:
    """Return the viewer's value.

    Args:
        predictions: Model name -> what it says of one image; at least one.
        stem: The image's name, for the files that the visitor may save.
        remark: Something that the visitor should know.
    """
    # All models were shown the same image, so it is sent once.
    image = next(iter(predictions.values())).image
    return json.dumps(
        {
            "width": image.shape[1],
            "height": image.shape[0],
            "image": data_uri(Image.fromarray(image), "jpeg", quality=90),
            "remark": remark,
            "models": [
                {"name": name, "file": f"{stem}_labels.png", **_model(prediction)}
                for name, prediction in predictions.items()
            ],
        }
    )


def _model(prediction: Prediction) -> dict[str, Any]:
    classes, colours = prediction.classes, see_through(prediction.classes)
    return {
        "classes": [
            {"index": classes.names.index(name), "name": name, "color": colours[classes.names.index(name)]}
            | {"share": share}
            for name, share in prediction.shares.items()
        ],
        "indices": data_uri(_index_image(prediction.labels, prediction.confidence), "png"),
        # A second picture, with palette, for saving: the browser cannot make one out of the colours it draws.
        "labels": data_uri(label_image(prediction.labels, classes), "png"),
    }


def _index_image(labels: npt.NDArray[np.integer], confidence: npt.NDArray[np.float32]) -> Image.Image:
    # A browser hands out pixels as colours only: red and green carry the index, blue the confidence in 16 steps,
    # coarse enough to compress.
    steps = np.minimum(confidence * 16, 15).astype(np.uint8) * 17
    return Image.fromarray(np.stack(((labels & 255).astype(np.uint8), (labels >> 8).astype(np.uint8), steps), axis=-1))
