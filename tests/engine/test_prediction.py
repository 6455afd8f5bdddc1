import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from switchseg.config.inference import Rule
from switchseg.engine.prediction import Prediction
from switchseg.engine.predictor import Predictor


@pytest.fixture(scope="module")
def prediction(camvid_model: Path) -> Prediction:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    return Predictor(camvid_model, rule=Rule(short_sides=(40, 64)), device="cpu")(image)


def test_prediction_holds_labels_probabilities_and_classes(prediction: Prediction) -> None:
    assert prediction.labels.shape == (40, 60)
    assert prediction.labels.dtype == np.uint8
    assert prediction.probabilities.shape == (11, 40, 60)
    np.testing.assert_allclose(prediction.probabilities.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(prediction.probabilities.argmax(0), prediction.labels)
    np.testing.assert_array_equal(prediction.probabilities.max(0), prediction.confidence)
    assert prediction.classes.names[3] == "Road"
    assert sum(prediction.shares.values()) == pytest.approx(1)
    assert list(prediction.shares.values()) == sorted(prediction.shares.values(), reverse=True)


def test_a_notebook_shows_the_tinted_image_and_a_console_one_line(prediction: Prediction) -> None:
    shown = Image.open(io.BytesIO(prediction._repr_png_()))
    assert (shown.format, shown.size) == ("PNG", (60, 40))
    np.testing.assert_array_equal(np.asarray(shown), np.asarray(prediction.overlay()))
    name, share = next(iter(prediction.shares.items()))
    assert repr(prediction).startswith(f"Prediction(60x40, 11 classes: {name} {100 * share:.0f} %")
    assert len(repr(prediction)) < 100


def test_overlay_mixes_image_and_colour(prediction: Prediction) -> None:
    np.testing.assert_array_equal(np.asarray(prediction.overlay(0)), prediction.image)
    colours = np.array(prediction.classes.palette)[prediction.labels]
    np.testing.assert_array_equal(np.asarray(prediction.overlay(1)), colours)
