import itertools

import numpy as np
import pytest

from switchseg.data.augment import TRANSFORMS
from tests.data.trees import picture, save, values


# torchvision's kernels warn of their own plans.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_every_pipeline_runs_and_the_exact_one_agrees(tmp_path, capsys):
    pytest.importorskip("torchvision")
    from benchmarks.data import run

    for number, (height, width) in enumerate([(40, 60), (60, 40), (45, 45)]):
        save(tmp_path / f"images/training/{number}.jpg", picture(number, height, width))
        save(tmp_path / f"annotations/training/{number}.png", values(number, list(np.arange(9)), height, width))
    sizes = {"--root": str(tmp_path), "--split": "train", "--rounds": "2", "--steps": "0", "--records": "500"}
    run([*itertools.chain(*sizes.items()), "--no-save"])
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("case short_side") for line in lines) == 7
    assert sum(line.startswith("case crop") for line in lines) == 7
    assert sum(line.startswith("case stage") for line in lines) == 7 + len(TRANSFORMS)
    assert sum(line.startswith("case list of 500 records") for line in lines) == 3
