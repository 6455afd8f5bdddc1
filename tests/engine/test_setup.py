"""From a config to the images of a training, and its length."""

import pytest

from switchseg.config.schema import RunConfig, TrainConfig
from switchseg.data.config import DataConfig
from switchseg.engine.setup import open_training, open_validation, with_steps


@pytest.mark.parametrize(
    ("settings", "ranks", "steps"),
    [
        ({"epochs": 3.0}, 1, 150),
        ({"epochs": 3.0, "accumulate": 2}, 2, 38),  # 37.5
        ({"epochs": 0.001}, 1, 1),
        ({"steps": 7}, 8, 7),
        ({}, 1, 100_000),
    ],
)
def test_epochs_become_steps_that_see_every_image_so_often(settings, ranks, steps):
    config = with_steps(RunConfig(train=TrainConfig(images_per_device=2, **settings)), 100, ranks)
    assert (config.train.steps, config.train.epochs) == (steps, None)


def opened(root, **settings) -> tuple[set[str], set[str], list[str]]:
    said: list[str] = []
    config = DataConfig(root=str(root), **settings)
    datasets = open_training(config), open_validation(config, said.append)
    trained, held = ({data.read(i).name for i in range(len(data))} for data in datasets)
    return trained, held, said


def test_images_are_held_out_of_the_training_split_and_the_real_one_is_told_of(tiny_camvid):
    trained, held, (line,) = opened(tiny_camvid, dataset="camvid", val_fraction=0.25)
    assert trained | held == {f"train_{index}" for index in range(8)}
    assert not trained & held
    assert line == (
        "data.val_fraction: 25% of train is evaluated on, not the split 'val' of 3 images; "
        "leave val_fraction out for that"
    )


def test_a_folder_without_splits_has_no_other_one(tmp_path, tiny_camvid):
    for folder, source in (("images", "train"), ("labels", "trainannot")):
        (tmp_path / folder).mkdir()
        for path in (tiny_camvid / source).iterdir():
            (tmp_path / folder / path.name).write_bytes(path.read_bytes())
    (tmp_path / "classes.txt").write_text("".join(f"class {index}\n" for index in range(12)))
    trained, held, said = opened(tmp_path, dataset="folder", val_fraction=0.25)
    assert len(trained | held) == 8
    assert not trained & held
    assert said == []
