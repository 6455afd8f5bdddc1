"""What a recorder is told by a small training that crashes and goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from switchseg.config import yaml
from switchseg.config.schema import RunConfig, TrainConfig
from switchseg.recorders import RECORDERS, Event, Recorder, Start

PICTURE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


def open_recorder(name: str, run: Path, step: int = 0, resumed: bool = False) -> Recorder:
    run.mkdir(parents=True, exist_ok=True)
    config = RunConfig(train=TrainConfig(steps=8, recorders=(name,)))
    yaml.save(run / "config.yaml", config)
    environment = {"environment": {"device": "cpu (test)"}, "images": 4, "images_per_step": 2}
    return RECORDERS[name](Start(run, yaml.to_mapping(config), environment, step, 8, resumed))


def tell(recorder: Recorder, *steps: int) -> None:
    for step in steps:
        recorder.advance(step)
        recorder.record(Event("train", step, train_values(step)))
        recorder.record(Event("shares", step, {"layers": {"encoder.bn1": {"mean": {"in": 0.25, "bn": 0.75}}}}))
    recorder.record(Event("checkpoint", steps[-1], {"file": f"step_{steps[-1]}.pt"}))


def train_values(step: int) -> dict:
    values = {"epoch": step / 2, "loss": 1 / step, "accuracy": 0.5, "mean_iou": 0.25, "data_wait": 0.01}
    return {**values, "lr": {"encoder": 0.02, "decoder": 0.01}, "images_per_second": 2.0}


def crash_and_go_on(name: str, run: Path, between: Callable[[], None] = lambda: None) -> None:
    """Steps 1 to 6, of which the last checkpoint has 4; then 5 to 8, a picture and the end."""
    first = open_recorder(name, run)
    tell(first, 1, 2, 3, 4, 5, 6)
    first.sync()
    first.close("failed")
    between()
    second = open_recorder(name, run, step=4, resumed=True)
    tell(second, 5, 6, 7, 8)
    second.picture("street", PICTURE, 8)
    second.record(Event("end", 8, {"steps": 8, "seconds": 1.5}))
    second.close("finished")
