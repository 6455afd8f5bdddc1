"""Geometry and colour of one image and its label: pure functions on uint8 arrays."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from PIL import Image

from switchseg.labels import IGNORED


def resize_image(image: np.ndarray, height: int, width: int, method: str = "torch") -> np.ndarray:
    """Return the RGB image at [height, width] with Pillow's antialiased bilinear filter, as in 2018.

    `pillow` runs Pillow itself; `torch` the same filter at more than twice the speed, off by at most 1 of 255 in about
    one value of a thousand.
    """
    if image.shape[:2] == (height, width):
        return image
    if method == "pillow":
        return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    pixels = torch.from_numpy(image).unsqueeze(0).permute(0, 3, 1, 2)  # channels_last, which is the fast way
    pixels = torch.nn.functional.interpolate(pixels, size=(height, width), mode="bilinear", antialias=True)
    resized: np.ndarray = pixels.permute(0, 2, 3, 1)[0].numpy()
    return resized


def nearest_places(length: int, target: int) -> np.ndarray:
    """Return which of `length` pixels each of `target` pixels takes its value from, as Pillow's nearest filter does."""
    line = Image.fromarray(np.arange(length, dtype=np.int32)[None])
    places: np.ndarray = np.asarray(line.resize((target, 1), Image.Resampling.NEAREST))[0]
    return places


def resize_label(label: np.ndarray, height: int, width: int, stride: int = 1) -> np.ndarray:
    """Return every `stride`-th pixel, from `stride // 2` on, of the label at [height, width] (nearest)."""
    rows = nearest_places(label.shape[0], height)[stride // 2 :: stride]
    columns = nearest_places(label.shape[1], width)[stride // 2 :: stride]
    values: np.ndarray = label[rows[:, None], columns]
    return values


def class_share(label: np.ndarray) -> float:
    """Return the share of the labelled pixels that the most frequent class holds; 1 where nothing is labelled."""
    counts = np.bincount(label.ravel(), minlength=IGNORED + 1)[:IGNORED]
    return float(counts.max() / max(1, counts.sum())) or 1.0


def photometric(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Change brightness, contrast, saturation and hue, each half of the time, with the ranges of mmsegmentation."""
    chosen = rng.random(4) < 0.5
    shift, contrast, saturation, hue = (
        rng.uniform(-32, 32),
        rng.uniform(0.5, 1.5),
        rng.uniform(0.5, 1.5),
        rng.integers(-18, 19),
    )
    values = np.arange(256, dtype=np.float32)
    if chosen[0] or chosen[1]:
        table = (values + shift * chosen[0]) * (contrast if chosen[1] else 1.0)
        image = cv2.LUT(image, np.clip(np.rint(table), 0, 255).astype(np.uint8))
    if chosen[2] or chosen[3]:
        hues = (np.arange(256) + hue * chosen[3]) % 180  # OpenCV counts hue in steps of 2 degrees
        saturations = np.clip(np.rint(values * (saturation if chosen[2] else 1.0)), 0, 255)
        tables = np.stack((hues, saturations, values), axis=-1).astype(np.uint8)[None]
        image = cv2.cvtColor(cv2.LUT(cv2.cvtColor(image, cv2.COLOR_RGB2HSV), tables), cv2.COLOR_HSV2RGB)
    return image
