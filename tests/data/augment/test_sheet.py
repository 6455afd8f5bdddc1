import numpy as np
import pytest

from switchseg.data import PIPELINES
from switchseg.data.augment.sheet import draw_sheet
from switchseg.data.config import DataConfig
from switchseg.data.datasets import open_dataset
from switchseg.errors import UserError
from tests.data.trees import ade_folders, picture, save

SIZES = [(40, 60), (60, 40), (37, 53), (50, 50), (64, 41), (45, 90)]


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_every_pipeline_is_shown_at_full_size(tmp_path, pipeline):
    dataset = open_dataset("odgt", ade_folders(tmp_path, SIZES), "train")
    config = DataConfig(pipeline=pipeline, short_sides=(30,), augment=({"name": "crop", "size": [24, 32]},))
    rows = draw_sheet(config, dataset, images=3, times=4)
    assert [row.name for row in rows] == ["i0", "i2", "i5"]
    assert all(np.array_equal(row.stored.image, dataset.read(int(row.name[1:])).image) for row in rows)
    assert all(pair.image.shape == (24, 32, 3) for row in rows for pair in row.made)
    assert all(pair.label.shape == (24, 32) for row in rows for pair in row.made)
    assert all(len({pair.image.tobytes() for pair in row.made}) > 1 for row in rows)


def test_what_cannot_be_read_is_passed_over(tmp_path):
    ade_folders(tmp_path, SIZES)
    (tmp_path / "images/training/i0.png").write_bytes(b"broken")
    dataset = open_dataset("ade20k", tmp_path, "train")
    assert len(draw_sheet(DataConfig(pipeline="augment"), dataset, images=2, times=1)) == 2


def test_without_labels_there_is_nothing_to_show(tmp_path):
    save(tmp_path / "a.png", picture(0))
    (tmp_path / "train.odgt").write_text('{"fpath_img": "a.png"}\n')
    with pytest.raises(UserError, match="no image with a label can be read"):
        draw_sheet(DataConfig(), open_dataset("odgt", tmp_path, "train"))
