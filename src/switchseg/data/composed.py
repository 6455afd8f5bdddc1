"""Data sets made of others: some samples of one, and several splits one after the other."""

from __future__ import annotations

import bisect
import copy
import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np

from switchseg.data.dataset import Dataset, Record, StoredDataset
from switchseg.data.sample import Sample


class Subset:
    """Some samples of a data set, in their order."""

    def __init__(self, dataset: Dataset, indices: Sequence[int]) -> None:
        self.name, self.classes = dataset.name, dataset.classes
        self.dataset, self.indices = dataset, indices

    @property
    def decoder(self) -> str:
        """How images are decoded."""
        return self.dataset.decoder

    @decoder.setter
    def decoder(self, name: str) -> None:
        # Of a copy, for the data set behind may have other subsets.
        self.dataset = copy.copy(self.dataset)
        self.dataset.decoder = name

    def __len__(self) -> int:
        return len(self.indices)

    def sizes(self, skip: bool = False) -> np.ndarray:
        """Return the (height, width) of every image, int32 [n, 2]."""
        return self.dataset.sizes(skip)[np.asarray(self.indices, np.int64)]

    def read(self, index: int) -> Sample:
        """Return sample `index` of those that are left."""
        return self.dataset.read(self.indices[index])


class JoinedDataset(StoredDataset):
    """Several splits of one data set, one after the other; a name that several have gets its split before it."""

    def __init__(self, parts: Sequence[StoredDataset], splits: Sequence[str]) -> None:
        listed = [part.listed_sizes for part in parts if part.listed_sizes is not None]
        super().__init__(parts[0].name, parts[0].meaning, np.concatenate(listed) if len(listed) == len(parts) else None)
        self.parts, self._splits = parts, splits
        # Results are written under the names, and would overwrite each other.
        names = Counter(name for part in parts for name in {part.name_of(index) for index in range(len(part))})
        self._shared = {name for name, count in names.items() if count > 1}
        # Ends and not starts, so that `bisect_right` skips splits that are empty.
        self._ends = list(itertools.accumulate(len(part) for part in parts))

    def __len__(self) -> int:
        return self._ends[-1]

    def record(self, index: int) -> Record:
        """Return where sample `index`, counted through all splits, lies."""
        part, index = self._place(index)
        record = self.parts[part].record(index)
        return record._replace(name=self._name(part, record.name))

    def name_of(self, index: int) -> str:
        """Return the name of sample `index`, counted through all splits."""
        part, index = self._place(index)
        return self._name(part, self.parts[part].name_of(index))

    def _place(self, index: int) -> tuple[int, int]:
        """Return which split sample `index` is in, and its number there."""
        part = bisect.bisect_right(self._ends, index)
        return part, index - self._ends[part] + len(self.parts[part])

    def _name(self, part: int, name: str) -> str:
        # Not `/`: names are those of files.
        return f"{self._splits[part]}-{name}" if name in self._shared else name
