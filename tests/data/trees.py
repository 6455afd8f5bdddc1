"""Small data sets on disk, in the layouts of their owners."""

import json
from pathlib import Path

import numpy as np
from PIL import Image


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    """Write an array as an image file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def picture(seed: int, height: int = 20, width: int = 30) -> np.ndarray:
    """Return a smooth RGB picture, so that JPEG keeps it nearly as it is."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width].astype(np.float64)
    planes = [128 + 100 * np.sin(rows * rng.uniform(0, 0.2) + columns * rng.uniform(0, 0.2) + c) for c in range(3)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def values(seed: int, choices: list[int], height: int = 20, width: int = 30) -> np.ndarray:
    """Return stored label values, each of `choices` at least once."""
    stored = np.random.default_rng(seed).choice(choices, (height, width)).astype(np.uint8)
    stored.flat[: len(choices)] = choices
    return stored


def ade_folders(root: Path, sizes: list[tuple[int, int]], split: str = "training", values_to: int = 5) -> Path:
    """Write images and annotations of these (height, width), values 0 .. values_to, with an odgt list."""
    lines = []
    for number, (height, width) in enumerate(sizes):
        image, label = f"images/{split}/i{number}.png", f"annotations/{split}/i{number}.png"
        save(root / image, picture(number, height, width))
        save(root / label, values(number, list(range(values_to + 1)), height, width))
        lines.append(json.dumps({"fpath_img": image, "fpath_segm": label, "width": width, "height": height}))
    (root / f"{split}.odgt").write_text("\n".join(lines) + "\n")
    return root


def plain_folders(root: Path) -> Path:
    """Write three training images of three classes, and void, with plain folders."""
    (root / "classes.txt").write_text("a\nb\nc\n")
    for number in range(3):
        save(root / f"images/train/{number}.png", picture(number))
        save(root / f"masks/train/{number}.png", values(number, [0, 1, 2, 255]))
    return root


def write_pairs(root, choices, stems=("a", "b")):
    for number, stem in enumerate(stems):
        save(root / f"images/{stem}.jpg", picture(number, 24, 30 + number))
        save(root / f"annotations/{stem}.png", values(number, choices, 24, 30 + number))
    return root
