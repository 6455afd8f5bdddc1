"""The training pipelines: which records form a sub-batch, and how they become one, in the workers."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from switchseg.data.augment import build, geometry, pixels
from switchseg.data.augment.chain import Chain
from switchseg.data.augment.transform import Pair
from switchseg.data.config import DataConfig
from switchseg.data.dataset import Dataset
from switchseg.data.order import EpochOrder, generator
from switchseg.data.resize import resize_image, resize_label
from switchseg.data.sample import Batch
from switchseg.errors import UserError
from switchseg.geometry import fit_short_side, round_up
from switchseg.labels import IGNORED

# First element of the path of a random generator; the order has 0 and 1, the transforms of `data.augment` have 5.
_SUB_BATCH, _IMAGE, _REPLACEMENT = 2, 3, 4

_MOST_REPLACEMENTS = 100


class Pipeline(ABC):
    """What all pipelines share: settings, samples that are fit for training, and the transforms of `data.augment`."""

    def __init__(self, config: DataConfig, dataset: Dataset, size: int, seed: int, stride: int) -> None:
        self.config, self.dataset, self.size, self.seed, self.stride = config, dataset, size, seed, stride
        # For all images at once: the order needs to know which are upright before the first one is read.
        self.shapes = dataset.sizes(skip=True) if config.on_error == "skip" else dataset.sizes()
        self.upright = self.shapes[:, 0] > self.shapes[:, 1]
        self.augment = Chain(build(config.augment), seed)

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

    def _read(self, index: int, place: int, skipped: list[str]) -> tuple[Pair, str]:
        """Read record `index`, the `place`-th of the run; with `on_error: skip` another of its kind if it is unfit."""
        chosen = index
        for attempt in range(_MOST_REPLACEMENTS):
            try:
                sample = self.dataset.read(chosen)
                if sample.label is None:
                    raise UserError(f"{sample.name}: an image without label cannot be trained on")
                return Pair(sample.image, sample.label), sample.name
            except UserError as error:
                if self.config.on_error == "stop":
                    raise
                skipped.append(str(error))
            # One that is turned as the other was, or whole images would pad the sub-batch to nearly a square.
            same = np.flatnonzero(self.upright == self.upright[index])
            chosen = int(generator(self.seed, _REPLACEMENT, place, attempt).choice(same))
        raise UserError(f"{skipped[-1]} (and {len(skipped) - 1} more; too many to skip)")

    def _read_any(self, rng: np.random.Generator, place: int, skipped: list[str]) -> Pair:
        """Read the record that `rng` chooses for a transform that mixes samples at `place`."""
        return self._read(int(rng.integers(len(self.dataset))), place, skipped)[0]

    def _common_size(self, samples: Sequence[Pair]) -> tuple[int, int]:
        """Return the height and width that these samples are padded to."""
        # A multiple of both, or the strided labels would not cover the padded images.
        multiple = math.lcm(self.config.pad_multiple, self.stride)
        height, width = (round_up(max(s.image.shape[side] for s in samples), multiple) for side in (0, 1))
        return height, width

    def _strided(self, pair: Pair) -> Pair:
        """Return the sample with the label that the logits are compared with."""
        # From the middle of each cell on, as logits stand for the middle of theirs.
        return Pair(pair.image, pair.label[self.stride // 2 :: self.stride, self.stride // 2 :: self.stride])

    def _batch(self, samples: Sequence[Pair], names: Sequence[str], skipped: Sequence[str]) -> Batch:
        """Pad images, and labels at the stride, at the right and the bottom."""
        height, width = self._common_size(samples)
        # Any value will do for the padding: `Batch.normalized` puts 0 there.
        images = np.zeros((self.size, height, width, 3), np.uint8)
        labels = np.full((self.size, height // self.stride, width // self.stride), IGNORED, np.uint8)
        for place, (image, label) in enumerate(samples):
            images[place, : image.shape[0], : image.shape[1]] = image
            labels[place, : label.shape[0], : label.shape[1]] = label
        return Batch(
            # A view; `Preprocessing.normalize` makes it contiguous, on the device.
            images=torch.from_numpy(images).permute(0, 3, 1, 2),
            labels=torch.from_numpy(labels).long(),
            sizes=torch.tensor([sample.image.shape[:2] for sample in samples], dtype=torch.int64, device="cpu"),
            names=tuple(names),
            skipped=tuple(skipped),
        )


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
        # One short side for the whole sub-batch, as in 2018, so that images of it need little padding.
        rng = generator(self.seed, _SUB_BATCH, number)
        short_side = self.config.short_sides[rng.integers(len(self.config.short_sides))]
        flips = (rng.random(self.size) < 0.5) & self.config.flip
        samples, names, skipped = [], [], list[str]()
        for place, (record, flip) in enumerate(zip(records.tolist(), flips, strict=True), number * self.size):
            pair, name = self._read(record, place, skipped)
            if self.augment:
                another = partial(self._another, place, short_side, skipped)
                pair = self._strided(self.augment(self._fitted(pair, short_side, flip), place, another))
            else:  # the stride at once, which is quicker
                pair = self._fitted(pair, short_side, flip, self.stride)
            samples.append(pair)
            names.append(name)
        return self._batch(samples, names, skipped)

    def _fitted(self, pair: Pair, short_side: int, flip: bool, stride: int = 1) -> Pair:
        # Mirrored before it is resized, as in 2018.
        image, label = geometry.mirrored(pair) if flip else pair
        height, width = fit_short_side(label.shape[0], label.shape[1], short_side, self.config.max_long_side)
        resized = resize_image(image, height, width, self.config.resize)
        return Pair(resized, resize_label(label, height, width, stride))

    def _another(self, place: int, short_side: int, skipped: list[str], rng: np.random.Generator) -> Pair:
        pair = self._read_any(rng, place, skipped)
        return self._fitted(pair, short_side, self.config.flip and rng.random() < 0.5)


class Images(Pipeline):
    """Images as they are stored. A sample depends on its place in the run alone, not on those beside it."""

    def order(self) -> EpochOrder:
        """Return the order of the images."""
        # One bucket of groups of one image: an image's place in the run then does not depend on the number of ranks.
        return EpochOrder(np.zeros(len(self.dataset), np.int64), 1, self.seed)

    def records(self, order: EpochOrder, number: int) -> np.ndarray:
        """Return the records of sub-batch `number`."""
        return np.concatenate([order[number * self.size + place] for place in range(self.size)])

    def epoch(self, order: EpochOrder, number: int) -> int:
        """Return the epoch, from 0, of the first image of sub-batch `number`."""
        return order.epoch(number * self.size)

    def batch(self, number: int, records: np.ndarray) -> Batch:
        """Build sub-batch `number`."""
        samples, names, skipped = [], [], list[str]()
        for place, record in enumerate(records.tolist(), number * self.size):
            pair, name = self._read(record, place, skipped)
            pair = self._prepared(pair, generator(self.seed, _IMAGE, place))
            pair = self.augment(pair, place, partial(self._another, place, skipped))
            samples.append(self._strided(pair))
            names.append(name)
        return self._batch(samples, names, skipped)

    def _prepared(self, pair: Pair, rng: np.random.Generator) -> Pair:
        """Return what `data.augment` starts from."""
        return pair

    def _another(self, place: int, skipped: list[str], rng: np.random.Generator) -> Pair:
        return self._prepared(self._read_any(rng, place, skipped), rng)


class Crop(Images):
    """Crops of one size out of randomly scaled images."""

    def __init__(self, config: DataConfig, dataset: Dataset, size: int, seed: int, stride: int) -> None:
        super().__init__(config, dataset, size, seed, stride)
        if any(length % stride for length in config.crop_size):
            height, width = config.crop_size
            raise UserError(f"data.crop_size: {height} {width}; multiples of the labels' stride {stride} were expected")
        self._scale = geometry.Scale(factors=config.crop_scales, short_side=config.crop_short_side)
        self._crop = geometry.Crop(size=config.crop_size, max_share=config.crop_max_share, pad=False)
        self._colour = pixels.Colour()

    def _prepared(self, pair: Pair, rng: np.random.Generator) -> Pair:
        # One generator for all of them, always in this order: runs of earlier versions can be repeated.
        pair = self._crop(self._scale(pair, rng), rng)
        if self.config.flip and rng.random() < 0.5:
            pair = geometry.mirrored(pair)
        return self._colour(pair, rng) if self.config.photometric else pair

    def _common_size(self, samples: Sequence[Pair]) -> tuple[int, int]:
        height, width = super()._common_size(samples)
        least = self.config.crop_size
        # Transforms of `data.augment` may make images larger than the crop; all of the batch then follow them.
        grown = any(length > limit for s in samples for length, limit in zip(s.image.shape, least, strict=False))
        return (height, width) if grown else least
