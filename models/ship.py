"""Turn a run on CamVid into the small model that ships with the repository: `python models/ship.py RUN CAMVID`."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import torch

from switchseg import files
from switchseg.checkpoints.hub import Card, save_pretrained
from switchseg.checkpoints.model_directory import load_model, save_model
from switchseg.config import yaml
from switchseg.config.schema import RunConfig
from switchseg.data.datasets import open_dataset
from switchseg.engine.evaluate import evaluate
from switchseg.engine.evaluation import write_confusion

MODELS = Path(__file__).parent


def main(run: Path, camvid: Path) -> None:
    """Write a run directory without checkpoints, with its model in half precision, the scores of that, and a card."""
    config = yaml.load(run / "config.yaml", RunConfig)
    name = f"camvid-{config.model.encoder.partition('_dilated')[0]}-{config.model.norm}"
    out = MODELS / name
    save_model(load_model(run), out / "model", torch.float16)
    model = load_model(out)
    trained, dataset = (open_dataset("camvid", camvid, split) for split in (config.data.train_split, "test"))
    single = evaluate(model, dataset, config.evaluate.single_rule)
    multi = evaluate(model, dataset, config.evaluate.multi_rule)

    shutil.copy(run / "log.jsonl", out / "log.jsonl")
    yaml.save(out / "config.yaml", replace(config, data=replace(config.data, root="data/CamVid")))
    files.write_json(out / "metrics.json", {"single": single.to_json(), "multi": multi.to_json()})
    write_confusion(out / "confusion_single.csv", single.matrix, dataset.classes)
    card = Card(
        dataset=f"the {len(trained)} images of CamVid's {config.data.train_split} (Cambridge-driving Labeled Video "
        "Database, SegNet layout)",
        data_license="research use",
        scores={
            f"{key}, {scales}": getattr(result.scores, key)
            for scales, result in (("one scale", single), ("multi-scale", multi))
            for key in ("mean_iou", "pixel_accuracy")
        },
        protocol=f"{single.images} test images of CamVid, 11 classes, short side {_sides(single.rule.short_sides)}; "
        f"multi-scale {_sides(multi.rule.short_sides)}.",
        training=_training(config),
        name=f"models/{name}",
    )
    save_pretrained(model, out / "model", card, torch.float16)


def _training(config: RunConfig) -> str:
    start = "ImageNet weights" if config.model.pretrained else "scratch"
    length = f"{config.train.steps} steps of {config.train.images_per_device} images"
    return f"""Trained from {start} in {length}. Config and log of the run lie beside the model.
It is stored in half precision, and its scores are those of the stored weights in float32."""


def _sides(short_sides: tuple[int, ...]) -> str:
    return " ".join(map(str, short_sides))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
