"""Long lists: what is done for each record stays in NumPy and in the parser (`bench data` times it)."""

import resource
import sys

import numpy as np
import pytest

from switchseg.data.config import DataConfig
from switchseg.data.datasets import open_dataset
from switchseg.data.loader import build_loader
from switchseg.data.order import EpochOrder

RECORDS = 1_000_000
FEW = RECORDS / 20  # Python calls: imports, and what is done once for some thousand records
LINE = '{{"fpath_img": "images/{0:08d}.jpg", "fpath_segm": "labels/{0:08d}.png", "width": {1}, "height": {2}}}\n'


@pytest.mark.slow
def test_a_million_records_open_without_a_python_call_each_and_in_little_memory(tmp_path):
    path = tmp_path / "train.odgt"
    with path.open("w") as file:
        file.writelines(LINE.format(n, 300 + n % 400, 300 + n % 500) for n in range(RECORDS))
    before = _peak()
    with _PythonCalls() as calls:
        dataset = open_dataset("odgt", tmp_path, "train")
    assert calls.number < FEW
    assert _peak() - before < 200
    assert len(dataset) == RECORDS
    assert dataset.record(RECORDS - 1).name == f"{RECORDS - 1:08d}"
    number = RECORDS - 2
    assert dataset.sizes()[number].tolist() == [300 + number % 500, 300 + number % 400]
    for pipeline in ("short_side", "crop"):
        with _PythonCalls() as calls:
            loader = build_loader(
                DataConfig(pipeline=pipeline),
                dataset,
                images_per_rank=2,
                seed=0,
                start_step=40 * RECORDS,
                steps=41 * RECORDS,
                stride=8,
            )
            assert len(next(loader._plan())[1]) == 2
        assert calls.number < FEW


@pytest.mark.slow
def test_a_far_group_of_ten_million_records_is_looked_up_not_counted_up_to():
    order = EpochOrder(np.arange(10_000_000) % 5 == 0, 2, 0)
    with _PythonCalls() as calls:
        assert len(order[123_456_789]) == 2
    assert calls.number < FEW


class _PythonCalls:
    """Counts the calls of Python functions within the block: work by the record shows, on a busy machine too."""

    def __enter__(self):
        self.number = 0
        self._before = sys.getprofile()
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_):
        sys.setprofile(self._before)

    def _count(self, frame, event, argument):
        self.number += event == "call"


def _peak():
    """Return the most memory in MB that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
