"""What training runs leave behind, for comparing one with another."""

import json
from pathlib import Path

import torch


def events(folder: Path, *kinds: str) -> list[dict]:
    lines = [json.loads(line) for line in (folder / "run" / "log.jsonl").read_text().splitlines()]
    timing = {"time", "images_per_second", "data_wait", "seconds", "environment"}
    return [{k: v for k, v in line.items() if k not in timing} for line in lines if line["event"] in kinds]


def assert_equal(a, b, place: str = "") -> None:
    """Compare what runs hold bit for bit; `place` is where in it, for the one line of a difference."""
    if isinstance(a, torch.Tensor):
        assert a.shape == b.shape, place
        assert torch.equal(a, b), f"{place}: differs by up to {(a.double() - b.double()).abs().max():.3g}"
    elif isinstance(a, dict):
        assert a.keys() == b.keys(), place
        for key in a:
            assert_equal(a[key], b[key], f"{place}.{key}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), place
        for index, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_equal(x, y, f"{place}[{index}]")
    else:
        assert a == b, place
