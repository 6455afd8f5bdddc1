"""In which order a training run sees the images: a pure function of the seed, looked up at any point."""

from __future__ import annotations

import numpy as np

from switchseg.errors import UserError


def generator(seed: int, *path: int) -> np.random.Generator:
    """Return the random generator that belongs to `path` under `seed`; other paths give independent numbers."""
    # A spawn key and not a sum of the numbers, by which (1, 2) and (2, 1) would be one generator.
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=path))


class EpochOrder:
    """Groups of `size` records, numbered 0, 1, 2, ... without end, each from one bucket.

    Every bucket is dealt out in one random permutation after another, so none of its records repeats before all were
    shown. What is left of a bucket at the end of an epoch starts its first group in the next, and these groups come
    before all others. Any group can be asked for; the cost is that of one epoch's permutation, which is kept.
    """

    def __init__(self, buckets: np.ndarray, size: int, seed: int) -> None:
        """Take the bucket number 0, 1, ... of every record, int [n]."""
        if not len(buckets):
            raise UserError("the data set has no images")
        # Buckets without records are left out: that of the wide images, 0, has none where all images are upright.
        self._members = [m for b in range(int(buckets.max()) + 1) if len(m := np.flatnonzero(buckets == b))]
        self._size, self._seed = size, seed
        self._length = len(buckets)
        self._permutations: dict[tuple[int, int], np.ndarray] = {}
        self._epoch, self._groups = -1, np.empty(0, np.int64)

    def epoch(self, number: int) -> int:
        """Return the epoch, from 0, in which group `number` is shown."""
        # A first guess, never too high: each bucket rounds its groups down, and the loop makes up for that.
        epoch = number * self._size // self._length
        while self._finished(epoch + 1) <= number:
            epoch += 1
        return epoch

    def __getitem__(self, number: int) -> np.ndarray:
        """Return the records of group `number`, int64 [size]."""
        epoch = self.epoch(number)
        if epoch != self._epoch:
            self._epoch, self._groups = epoch, self._deal(epoch)
        group, bucket = divmod(int(self._groups[number - self._finished(epoch)]), len(self._members))
        members = self._members[bucket]
        places = (divmod(group * self._size + i, len(members)) for i in range(self._size))
        shown: np.ndarray = members[[self._permutation(bucket, epoch)[place] for epoch, place in places]]
        return shown

    def _finished(self, epochs: int) -> int:
        """Return how many groups are complete after that many epochs."""
        return sum(len(members) * epochs // self._size for members in self._members)

    def _deal(self, epoch: int) -> np.ndarray:
        """Return the epoch's groups as they are shown, int64 [groups]: number in the bucket * buckets + bucket."""
        late, fresh = [], []
        for bucket, members in enumerate(self._members):
            first, last = (len(members) * e // self._size for e in (epoch, epoch + 1))
            begun = first * self._size < len(members) * epoch  # by the epoch before
            groups = np.arange(first, last) * len(self._members) + bucket
            late.append(groups[:begun])
            fresh.append(groups[begun:])
        if len(self._members) > 1:
            generator(self._seed, 0, epoch).shuffle(rest := np.concatenate(fresh))
            return np.concatenate((*late, rest))
        # One bucket's permutation is order enough.
        return np.concatenate((*late, *fresh))

    def _permutation(self, bucket: int, epoch: int) -> np.ndarray:
        key = (bucket, epoch)
        if key not in self._permutations:
            # A group can span two epochs, so the one before or after is still needed.
            for old in [k for k in self._permutations if k[0] == bucket and abs(k[1] - epoch) > 1]:
                del self._permutations[old]
            self._permutations[key] = generator(self._seed, 1, bucket, epoch).permutation(len(self._members[bucket]))
        return self._permutations[key]
