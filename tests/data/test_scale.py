"""A long list, a tenth of what docs/data.md promises for ten million records."""

import resource
import time

import pytest

from switchseg.data.config import DataConfig
from switchseg.data.datasets import open_dataset
from switchseg.data.loader import build_loader

RECORDS = 1_000_000
LINE = '{{"fpath_img": "images/{0:08d}.jpg", "fpath_segm": "labels/{0:08d}.png", "width": {1}, "height": {2}}}\n'


@pytest.mark.slow
def test_a_million_records_open_in_seconds_and_little_memory(tmp_path):
    path = tmp_path / "train.odgt"
    with path.open("w") as file:
        file.writelines(LINE.format(n, 300 + n % 400, 300 + n % 500) for n in range(RECORDS))
    before, start = _peak(), time.process_time()
    dataset = open_dataset("odgt", tmp_path, "train")
    assert time.process_time() - start < 3.0
    assert _peak() - before < 200
    assert len(dataset) == RECORDS
    assert dataset.record(RECORDS - 1).name == f"{RECORDS - 1:08d}"
    number = RECORDS - 2
    assert dataset.sizes()[number].tolist() == [300 + number % 500, 300 + number % 400]
    for pipeline in ("short_side", "crop"):
        config, start = DataConfig(pipeline=pipeline), time.process_time()
        loader = build_loader(
            config, dataset, images_per_rank=2, seed=0, start_step=40 * RECORDS, steps=41 * RECORDS, stride=8
        )
        assert len(next(loader._plan())[1]) == 2
        assert time.process_time() - start < 0.5


def _peak():
    """Return the most memory in MB that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
