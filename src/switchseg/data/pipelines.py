"""The training pipelines: which records form a sub-batch, and how they become one. Both run in the workers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import cv2
import numpy as np
import torch

from switchseg.data.config import DataConfig
from switchseg.data.dataset import Dataset
from switchseg.data.order import EpochOrder, generator
from switchseg.data.sample import Batch
from switchseg.data.transforms import class_share, photometric, resize_image, resize_label
from switchseg.errors import UserError
from switchseg.geometry import fit_short_side, round_up
from switchseg.labels import IGNORED

# First element of the path of a random generator; the order has 0 and 1.
_SUB_BATCH, _IMAGE, _REPLACEMENT = 2, 3, 4

_MOST_REPLACEMENTS = 100
_MOST_CROPS = 10
_LONGEST_CROP_SIDE = 4  # of an image that crops are taken from, in short sides


class Pipeline(ABC):
    """What both pipelines share: settings, and samples that are fit for training."""

    def __init__(self, config: DataConfig, dataset: Dataset, size: int, seed: int, stride: int) -> None:
        self.config, self.dataset, self.size, self.seed, self.stride = config, dataset, size, seed, stride
        self.shapes = dataset.sizes(skip=True) if config.on_error == "skip" else dataset.sizes()
        self.upright = self.shapes[:, 0] > self.shapes[:, 1]

    @abstractmethod
    def order(self) -> EpochOrder:
        """Return the order that `records` looks sub-batches up in."""

    @abstractmethod
    def records(self, order: EpochOrder, number: int) -> np.ndarray:
        """Return the records of sub-batch `number`, int64 [size]."""

    @abstractmethod
    def epoch(self, order: EpochOrder, number: int) -> int:
        """Return the epoch, from 0, of sub-batch `number`."""

    @abstractmethod
    def batch(self, number: int, records: np.ndarray) -> Batch:
        """Build sub-batch `number`; called in a worker."""

    def _read(self, index: int, place: int, skipped: list[str]) -> tuple[int, np.ndarray, np.ndarray, str]:
        """Read record `index`, the `place`-th of the run; with `on_error: skip` another of its kind if it is unfit."""
        chosen = index
        for attempt in range(_MOST_REPLACEMENTS):
            try:
                sample = self.dataset.read(chosen)
                if sample.label is None:
                    raise UserError(f"{sample.name}: an image without label cannot be trained on")
                return chosen, sample.image, sample.label, sample.name
            except UserError as error:
                if self.config.on_error == "stop":
                    raise
                skipped.append(str(error))
            same = np.flatnonzero(self.upright == self.upright[index])
            chosen = int(generator(self.seed, _REPLACEMENT, place, attempt).choice(same))
        raise UserError(f"{skipped[-1]} (and {len(skipped) - 1} more; too many to skip)")


class ShortSide(Pipeline):
    """The 2018 pipeline: whole images, upright ones apart from wide ones, at one random short side a sub-batch."""

    def order(self) -> EpochOrder:
        """Return the order of the sub-batches."""
        return EpochOrder(self.upright.astype(np.int64), self.size, self.seed)

    def records(self, order: EpochOrder, number: int) -> np.ndarray:
        """Return the records of sub-batch `number`."""
        return order[number]

    def epoch(self, order: EpochOrder, number: int) -> int:
        """Return the epoch, from 0, of sub-batch `number`."""
        return order.epoch(number)

    def batch(self, number: int, records: np.ndarray) -> Batch:
        """Build sub-batch `number`: resized, flipped at random, padded at the right and the bottom."""
        config, stride = self.config, self.stride
        rng = generator(self.seed, _SUB_BATCH, number)
        short_side = config.short_sides[rng.integers(len(config.short_sides))]
        flips = (rng.random(self.size) < 0.5) & config.flip
        skipped: list[str] = []
        samples = [self._read(int(r), number * self.size + i, skipped) for i, r in enumerate(records)]
        sizes = [self._target(s[0], short_side) for s in samples]
        multiple = math.lcm(config.pad_multiple, stride)
        height, width = (round_up(max(lengths), multiple) for lengths in zip(*sizes, strict=True))
        images = np.zeros((self.size, height, width, 3), np.uint8)
        labels = np.full((self.size, height // stride, width // stride), IGNORED, np.uint8)
        for place, ((_, image, label, _), (h, w), flip) in enumerate(zip(samples, sizes, flips, strict=True)):
            if flip:
                image, label = cv2.flip(image, 1), cv2.flip(label, 1)
            images[place, :h, :w] = resize_image(image, h, w, config.resize)
            resized = resize_label(label, h, w, stride)
            labels[place, : resized.shape[0], : resized.shape[1]] = resized
        return _batch(images, labels, sizes, [s[3] for s in samples], skipped)

    def _target(self, record: int, short_side: int) -> tuple[int, int]:
        height, width = self.shapes[record].tolist()
        return fit_short_side(height, width, short_side, self.config.max_long_side)


class Crop(Pipeline):
    """Crops of one size out of randomly scaled images. A sample depends on its place in the run alone."""

    def __init__(self, config: DataConfig, dataset: Dataset, size: int, seed: int, stride: int) -> None:
        super().__init__(config, dataset, size, seed, stride)
        if any(length % stride for length in config.crop_size):
            height, width = config.crop_size
            raise UserError(f"data.crop_size: {height} {width}; multiples of the labels' stride {stride} were expected")

    def order(self) -> EpochOrder:
        """Return the order of the images."""
        return EpochOrder(np.zeros(len(self.dataset), np.int64), 1, self.seed)

    def records(self, order: EpochOrder, number: int) -> np.ndarray:
        """Return the records of sub-batch `number`."""
        return np.concatenate([order[number * self.size + place] for place in range(self.size)])

    def epoch(self, order: EpochOrder, number: int) -> int:
        """Return the epoch, from 0, of the first image of sub-batch `number`."""
        return order.epoch(number * self.size)

    def batch(self, number: int, records: np.ndarray) -> Batch:
        """Build sub-batch `number`."""
        height, width = self.config.crop_size
        images = np.zeros((self.size, height, width, 3), np.uint8)
        labels = np.full((self.size, height // self.stride, width // self.stride), IGNORED, np.uint8)
        sizes, names, skipped = [], [], list[str]()
        for place, record in enumerate(records.tolist()):
            position = number * self.size + place
            _, image, label, name = self._read(record, position, skipped)
            image, label = self._augment(image, label, generator(self.seed, _IMAGE, position))
            images[place, : image.shape[0], : image.shape[1]] = image
            label = label[self.stride // 2 :: self.stride, self.stride // 2 :: self.stride]
            labels[place, : label.shape[0], : label.shape[1]] = label
            sizes.append(image.shape[:2])
            names.append(name)
        return _batch(images, labels, sizes, names, skipped)

    def _augment(self, image: np.ndarray, label: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        config = self.config
        short_side = max(1, round(config.crop_short_side * rng.uniform(*config.crop_scales)))
        height, width = fit_short_side(label.shape[0], label.shape[1], short_side, _LONGEST_CROP_SIDE * short_side)
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        label = cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST)
        for _ in range(_MOST_CROPS):
            top = rng.integers(max(0, height - config.crop_size[0]) + 1)
            left = rng.integers(max(0, width - config.crop_size[1]) + 1)
            window = np.s_[top : top + config.crop_size[0], left : left + config.crop_size[1]]
            # Every fourth pixel each way tells the shares well enough.
            if config.crop_max_share == 1 or class_share(label[window][::4, ::4]) <= config.crop_max_share:
                break
        image, label = image[window], label[window]
        if config.flip and rng.random() < 0.5:
            image, label = cv2.flip(image, 1), cv2.flip(label, 1)
        return (photometric(image, rng) if config.photometric else image), label


def _batch(
    images: np.ndarray, labels: np.ndarray, sizes: Sequence[tuple[int, ...]], names: list[str], skipped: list[str]
) -> Batch:
    return Batch(
        images=torch.from_numpy(images).permute(0, 3, 1, 2),
        labels=torch.from_numpy(labels).long(),
        sizes=torch.tensor(sizes, dtype=torch.int64, device="cpu"),
        names=tuple(names),
        skipped=tuple(skipped),
    )
