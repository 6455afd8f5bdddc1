"""The model that ships with the repository does something real out of the box."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from switchseg.checkpoints.model_directory import load_model
from switchseg.cli import main
from switchseg.data.datasets import open_dataset
from switchseg.engine.evaluate import evaluate
from switchseg.engine.predictor import usual_rule
from switchseg.norms import norm_shares

SHIPPED = Path(__file__).parents[1] / "models/camvid-tf_efficientnet_lite0-sn"


def test_it_is_small_and_switchable():
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*") if path.is_file()) < 7_000_000
    shares = norm_shares(load_model(SHIPPED))
    assert len(shares) > 20


def test_predict_takes_it_and_knows_a_street(tmp_path):
    """A blue sky over a grey road, with texture: as little as a model of real streets should know."""
    random = np.random.default_rng(0)
    image = np.empty((360, 480, 3))
    image[:150] = (150, 180, 220)
    image[150:210] = (110, 95, 85)
    image[210:] = (90, 90, 92)
    noise = random.normal(0, 6, image.shape)
    Image.fromarray((image + noise).clip(0, 255).astype(np.uint8)).save(tmp_path / "street.png")
    assert main(["predict", str(SHIPPED), str(tmp_path / "street.png"), "--out", str(tmp_path / "out")]) == 0
    labels = np.asarray(Image.open(tmp_path / "out" / "street_labels.png"))
    names = load_model(SHIPPED).spec.classes.names
    assert names[np.bincount(labels[:100].ravel()).argmax()].lower() == "sky"
    assert names[np.bincount(labels[260:].ravel()).argmax()].lower() == "road"


@pytest.mark.slow
def test_it_scores_what_its_card_says(shared_data):
    dataset = open_dataset("camvid", shared_data / "camvid", "test")
    result = evaluate(load_model(SHIPPED), dataset, usual_rule(SHIPPED), quiet=True)
    card = (SHIPPED / "model" / "README.md").read_text()
    said = {name: float(value) for name, value in re.findall(r"\| (\w+), one scale \| ([\d.]+) % \|", card)}
    assert said == pytest.approx(
        {"mean_iou": 100 * result.scores.mean_iou, "pixel_accuracy": 100 * result.scores.pixel_accuracy}, abs=0.006
    )
