"""Turn a finished run on CamVid into the small model that ships with the repository: `python models/ship.py RUN`."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import torch

from switchseg.checkpoints.hub import Card, save_pretrained
from switchseg.checkpoints.model_directory import load_model
from switchseg.config import yaml
from switchseg.config.schema import RunConfig

FOLDER = "models/camvid-regnetx_002-sn"
TRAINING = """A small model for trying things out, not a strong one: trained from scratch on one CPU thread, 2600 steps
of 2 images at short sides of 160 to 224 pixels. Config, log and scores of the run lie beside it. It is stored in half
precision, and its scores are those of the stored weights in float32."""


def main(run: Path) -> None:
    """Write a run directory without checkpoints, with its model in half precision and a card."""
    out = Path(__file__).parents[1] / FOLDER
    out.mkdir(parents=True, exist_ok=True)
    for name in ("log.jsonl", "metrics.json", "confusion_single.csv"):
        shutil.copy(run / name, out / name)
    config = yaml.load(run / "config.yaml", RunConfig)
    yaml.save(out / "config.yaml", replace(config, data=replace(config.data, root="data/CamVid")))
    single = json.loads((run / "metrics.json").read_text())["single"]
    card = Card(
        dataset="the 367 training images of CamVid (Cambridge-driving Labeled Video Database, SegNet layout)",
        data_license="research use",
        scores={key: single[key] for key in ("mean_iou", "pixel_accuracy")},
        protocol=f"{single['images']} test images of CamVid, 11 classes, short side {single['short_sides'][0]}.",
        training=TRAINING,
        name=FOLDER,
    )
    save_pretrained(load_model(run), out / "model", card, torch.float16)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
