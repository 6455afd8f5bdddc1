"""From a config to the images of a training, its length, and the checkpoint to go on from."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from switchseg.checkpoints import training_state
from switchseg.config.schema import RunConfig, TrainConfig
from switchseg.data.config import DataConfig
from switchseg.distributed import World
from switchseg.engine.setup import open_training, open_validation, restore, with_steps
from switchseg.errors import UserError
from switchseg.runs.directory import RunDirectory
from tests.engine.steps import make_training


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


@pytest.mark.parametrize(
    ("section", "change", "best"),
    [
        ("data", {"root": "elsewhere"}, (0.9, 2)),
        ("evaluate", {"multi_short_sides": (300,)}, (0.9, 2)),
        ("data", {"val_split": "test"}, (-1.0, 0)),
        ("data", {"val_list": "few.txt"}, (-1.0, 0)),
        ("evaluate", {"short_sides": (300,)}, (-1.0, 0)),
        ("evaluate", {"flip": True}, (-1.0, 0)),
    ],
)
def test_a_score_of_other_images_or_by_another_rule_is_no_best_one(tmp_path, section, change, best):
    first, second = (make_training("gn", encoder="test_resnet_dilated8") for _ in range(2))
    first.best_score, first.evaluations_since_best = 0.9, 2
    training_state.save(RunDirectory(tmp_path).checkpoints, {**first.state_dict(), "step": 3}, 3, keep=1)
    changed = replace(getattr(second.config, section), **change)
    second.config = replace(second.config, **{section: changed})
    assert restore(second, RunDirectory(tmp_path), "auto")
    assert (second.step, second.best_score, second.evaluations_since_best) == (3, *best)


@pytest.mark.slow
def test_ranks_that_find_different_checkpoints_do_not_begin(tmp_path):
    torch.multiprocessing.spawn(_rank, (tmp_path,), nprocs=2)


def _rank(rank: int, folder: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=2)
    torch.set_num_threads(1)
    try:
        training = make_training("gn", encoder="test_resnet_dilated8", world=World(rank, 2, torch.device("cpu")))
        run = RunDirectory(folder / str(rank))  # a disk of its own
        assert not restore(training, run, "auto")
        state = training.state_dict()

        def save(step: int, best_score: float = -1.0) -> Path:
            return training_state.save(run.checkpoints, {**state, "step": step, "best_score": best_score}, step, 9)

        def refused(resume: str = "auto") -> str:
            with pytest.raises(UserError) as raised:
                restore(training, run, resume)
            return str(raised.value)

        places = [folder / str(each) / "checkpoints" for each in range(2)]
        if rank == 0:
            save(1)
        found = refused()
        assert found.startswith(f"the ranks would not begin at the same place: rank 0 at step 1 of {places[0]}")
        assert ", rank 1 at step 0 without a checkpoint; every node needs the run directory " in found
        assert f"{places[0] / 'step_1.pt'}: --resume never would overwrite this run" in refused("never")
        assert f"rank 1 at step 2 of {places[1]}" in refused(str(save(1 + rank)))
        last = save(3, best_score=0.1 * rank)  # the same step of another training
        found = refused()
        assert all(f"rank {each} at step 3 of {places[each]}" in found for each in range(2))
        if rank == 1:
            last.write_bytes(last.read_bytes()[:1000])
        assert f"{places[1] / 'step_3.pt'}: not a checkpoint that can be read safely" in refused()
        assert training.step == 0
        save(4)
        dist.barrier()  # both on one disk now
        assert restore(training, RunDirectory(folder / "0"), "auto")
        assert training.step == 4
    finally:
        dist.destroy_process_group()
