import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from switchseg.demo.answer import answer
from switchseg.demo.colours import see_through
from switchseg.engine.predictor import Predictor


def decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1]))))


def test_the_answer_holds_labels_confidence_and_shares(model_folders):
    image = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    predictor = Predictor(model_folders[0])
    prediction = predictor(image)
    value = json.loads(answer({"one": prediction}, stem="photo", remark="photo.jpg"))
    assert (value["width"], value["height"], value["remark"]) == (80, 60, "photo.jpg")
    (model,) = value["models"]
    assert (model["name"], model["file"]) == ("one", "photo_labels.png")
    indices = decoded(model["indices"]).astype(int)
    assert (indices[..., 0] + 256 * indices[..., 1] == prediction.labels).all()
    assert np.abs((indices[..., 2] / 17 + 0.5) / 16 - prediction.confidence).max() <= 1 / 32 + 1e-6
    assert (decoded(model["labels"]) == prediction.labels).all()
    assert sum(entry["share"] for entry in model["classes"]) == pytest.approx(1)
    for entry in model["classes"]:
        assert entry["share"] == (prediction.labels == entry["index"]).mean()
        assert tuple(entry["color"]) == see_through(predictor.classes)[entry["index"]]
