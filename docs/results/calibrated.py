"""Score runs with running statistics averaged over 100 training batches: `python docs/results/calibrated.py RUN...`."""

import sys
from pathlib import Path

import torch

from switchseg.checkpoints.model_directory import load_model
from switchseg.config import yaml
from switchseg.config.schema import RunConfig
from switchseg.data.loader import build_loader
from switchseg.engine.evaluate import evaluate
from switchseg.engine.setup import open_training, open_validation
from switchseg.norms import calibrate

BATCHES = 100


def main(run: Path) -> None:
    """Print the mIoU of a run directory that holds its model."""
    config = yaml.load(run / "config.yaml", RunConfig)
    torch.set_num_threads(config.train.threads or torch.get_num_threads())
    model = load_model(run)
    batches = build_loader(
        config.data,
        open_training(config.data),
        images_per_rank=config.train.images_per_device,
        seed=config.train.seed + 1,
        rank=0,
        world_size=1,
        start_step=0,
        steps=BATCHES,
        stride=model.stride,
    )
    calibrate(model, (batch.normalized(model.spec.preprocessing) for batch in batches))
    scores = evaluate(model, open_validation(config.data), config.evaluate.single_rule, quiet=True).scores
    print(f"{run.name}: {100 * scores.mean_iou:.2f}", flush=True)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        main(Path(argument))
