"""What training runs leave behind, for comparing one with another."""

import json
from pathlib import Path

import torch


def events(folder: Path, *kinds: str) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    timing = {"time", "images_per_second", "data_wait", "seconds", "environment"}
    return [{k: v for k, v in line.items() if k not in timing} for line in lines if line["event"] in kinds]


def assert_equal(a, b) -> None:
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_equal(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_equal(x, y)
    else:
        assert a == b
