import json
from dataclasses import replace
from pathlib import Path

import torch

from switchseg.checkpoints.model_directory import load_model
from switchseg.config.inference import Rule
from switchseg.data.composed import Subset
from switchseg.data.datasets import open_dataset
from switchseg.distributed import World
from switchseg.engine.tally_key import data_key, tally_key


def test_a_part_of_a_data_set_is_told_by_its_files(tiny_camvid: Path) -> None:
    dataset = open_dataset("camvid", tiny_camvid, "val")
    assert data_key(Subset(dataset, [2, 0]), [1, 0]) == data_key(dataset, [0, 2]) != data_key(dataset, [1, 2])


def test_what_changes_a_count_changes_the_key(camvid_model: Path, tiny_camvid: Path) -> None:
    model, dataset, rule = load_model(camvid_model), open_dataset("camvid", tiny_camvid, "val"), Rule(short_sides=(32,))
    world = World(rank=0, size=1, device=torch.device("cpu"))
    key = tally_key(model, dataset, rule, world, boundary=False)
    assert json.loads(json.dumps(key)) == key
    assert tally_key(load_model(camvid_model), dataset, rule, world, boundary=False) == key
    others = [
        tally_key(model, dataset, Rule(short_sides=(40,)), world, boundary=False),
        tally_key(model, dataset, rule, replace(world, size=2), boundary=False),
        tally_key(model, dataset, rule, world, boundary=True),
    ]
    with torch.no_grad():
        next(model.parameters()).flatten()[0] += 1e-3
    others.append(tally_key(model, dataset, rule, world, boundary=False))
    assert all(other != key for other in others)
