import numpy as np

from switchseg.data.datasets import open_dataset
from tests.data.trees import picture, save, values


def test_published_maps_become_171_classes(tmp_path):
    choices = [0, 10, 12, 24, 26, 27, 30, 43, 45, 89, 91, 181, 255]
    save(tmp_path / "images/val2017/000000000139.jpg", picture(0))
    save(tmp_path / "annotations/val2017/000000000139.png", values(0, choices))
    dataset = open_dataset("coco_stuff", tmp_path, "val")
    trained = dict(zip(choices, [0, 10, 11, 23, 24, 25, 26, 39, 40, 79, 80, 170, 255], strict=True))
    assert np.array_equal(dataset.read(0).label, np.vectorize(trained.get)(values(0, choices)))
    assert len(dataset.classes) == 171
    assert dataset.classes.names[23] == "giraffe"
    assert dataset.classes.names[79] == "toothbrush"
    assert dataset.classes.names[80] == "banner"
    assert dataset.classes.names[170] == "wood"


def test_train_ids_beside_the_maps_are_preferred(tmp_path):
    save(tmp_path / "images/train2017/1.jpg", picture(0))
    save(tmp_path / "annotations/train2017/1.png", values(0, [181]))
    save(tmp_path / "annotations/train2017/1_labelTrainIds.png", values(0, [0, 170, 255]))
    label = open_dataset("coco_stuff", tmp_path, "train").read(0).label
    assert np.array_equal(label, values(0, [0, 170, 255]))


def test_half_converted_maps_are_read_as_published(tmp_path):
    for name in ("1", "2"):
        save(tmp_path / f"images/train2017/{name}.jpg", picture(0))
        save(tmp_path / f"annotations/train2017/{name}.png", values(0, [181]))
    save(tmp_path / "annotations/train2017/1_labelTrainIds.png", values(0, [0]))
    assert set(open_dataset("coco_stuff", tmp_path, "train").read(0).label.flat) == {170}
