"""The 2018 training pipeline as its description reads, in plain PIL and NumPy: a yardstick for speed and exactness."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

MEAN = np.array([102.9801, 115.9465, 122.7717], np.float32)  # B, G, R


def plain_batch(
    images: Sequence[str],
    labels: Sequence[str],
    sizes: Sequence[tuple[int, int]],
    short_side: int,
    flips: Sequence[bool],
    max_long_side: int = 1000,
    multiple: int = 8,
    stride: int = 8,
) -> tuple[np.ndarray, np.ndarray]:
    """Return float32 BGR images [N, 3, H, W], mean taken off, and int64 labels [N, H / stride, W / stride], -1 ignored.

    `sizes` are the (height, width) of the list; label files hold 0 for unlabelled and k for class k - 1.
    """
    targets = []
    for height, width in sizes:
        scale = min(short_side / min(height, width), max_long_side / max(height, width))
        targets.append((int(height * scale), int(width * scale)))
    batch_height, batch_width = (_round_up(max(lengths), multiple) for lengths in zip(*targets, strict=True))
    batch_images = np.zeros((len(images), 3, batch_height, batch_width), np.float32)
    batch_labels = np.zeros((len(images), batch_height // stride, batch_width // stride), np.int64)
    for n, (image_path, label_path, (height, width), flip) in enumerate(
        zip(images, labels, targets, flips, strict=True)
    ):
        image, label = np.asarray(Image.open(image_path).convert("RGB")), np.asarray(Image.open(label_path))
        if flip:
            image, label = np.fliplr(image), np.fliplr(label)
        image = _resized(image, height, width, Image.Resampling.BILINEAR)
        label = _resized(label, height, width, Image.Resampling.NEAREST)
        padded = np.zeros((_round_up(height, multiple), _round_up(width, multiple)), np.uint8)
        padded[:height, :width] = label
        small = _resized(padded, padded.shape[0] // stride, padded.shape[1] // stride, Image.Resampling.NEAREST)
        blue_first = image.astype(np.float32)[:, :, ::-1] - MEAN
        batch_images[n, :, :height, :width] = blue_first.transpose(2, 0, 1)
        batch_labels[n, : small.shape[0], : small.shape[1]] = small
    return batch_images, batch_labels - 1


def _resized(pixels: np.ndarray, height: int, width: int, how: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((width, height), how))


def _round_up(length: int, multiple: int) -> int:
    return ((length - 1) // multiple + 1) * multiple
