"""A list of transforms, of which each draws from a generator of its own."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from switchseg.data.augment.transform import Pair, Transform
from switchseg.data.order import generator

# First element of the path of a random generator; the order and the pipelines have 0 to 4.
_TRANSFORM = 5

Another = Callable[[np.random.Generator], Pair]
"""Reads a further sample, which the generator chooses."""


class Chain:
    """Applies transforms, each given with its name, one after another.

    What a transform draws depends on the seed, the sample's place in the run, the transform's name, and how many of
    that name come before it. So another transform in the list, or other settings, leave its numbers as they are.
    """

    def __init__(self, transforms: Sequence[tuple[str, Transform]], seed: int) -> None:
        self._seed = seed
        self._steps: list[tuple[tuple[int, int], Transform]] = []
        seen: Counter[str] = Counter()
        for name, transform in transforms:
            # A checksum and not `hash`, which Python salts anew in each process.
            self._steps.append(((zlib.crc32(name.encode()), seen[name]), transform))
            seen[name] += 1

    def __len__(self) -> int:
        return len(self._steps)

    def __call__(self, pair: Pair, place: int, another: Another) -> Pair:
        """Return the sample at `place` of the run, transformed; `another` is asked where one takes a further sample."""
        return self._apply(len(self), pair, (place,), another)

    def _apply(self, count: int, pair: Pair, path: tuple[int, ...], another: Another) -> Pair:
        """Apply the first `count` transforms."""
        for before, (key, transform) in enumerate(self._steps[:count]):
            rng = generator(self._seed, _TRANSFORM, *path, *key)
            if rng.random() < transform.probability:
                # A further sample has come as far in the list as the one that it is mixed with.
                others = [
                    self._apply(before, another(rng), (*path, *key, number), another)
                    for number in range(transform.others)
                ]
                pair = transform(pair, rng, *others)
        return pair
