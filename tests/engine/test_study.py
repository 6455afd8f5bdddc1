from dataclasses import replace

import pytest

from switchseg.config.schema import EvaluateConfig, RunConfig, TrainConfig
from switchseg.engine.study import combinations, with_images
from switchseg.errors import UserError
from switchseg.models.config import ModelConfig
from switchseg.optim.config import OptimConfig

CONFIG = RunConfig(
    model=ModelConfig(encoder="resnet18_dilated8", decoder="aspp", norm="sn"),
    optim=OptimConfig(warmup_steps=50),
    train=TrainConfig(steps=401, images_per_device=2, log_every=20, evaluate_every=100, calibrate=30, seed=7),
    evaluate=EvaluateConfig(short_sides=(64,)),
)


def test_every_combination_is_planned_seed_by_seed() -> None:
    planned = combinations(CONFIG, ("bn", "sn", "bn"), images=(1, 2), seeds=(304, 305))
    assert [each.name for each in planned] == [
        f"{norm}-images{images}-seed{seed}" for seed in (304, 305) for images in (1, 2) for norm in ("bn", "sn")
    ]
    last = planned[-1].config
    assert last == replace(CONFIG, train=replace(CONFIG.train, seed=305))


def test_without_seeds_and_images_the_config_decides() -> None:
    planned = combinations(CONFIG, ("gn",))
    assert [each.name for each in planned] == ["gn"]
    assert planned[0].config == replace(CONFIG, model=replace(CONFIG.model, norm="gn"))


def test_another_batch_size_sees_as_many_images() -> None:
    small, large = with_images(CONFIG, 1), with_images(CONFIG, 4)
    assert (small.train.steps, small.optim.warmup_steps) == (802, 100)
    assert (small.train.log_every, small.train.evaluate_every) == (40, 200)
    assert (large.train.steps, large.optim.warmup_steps) == (201, 25)  # never fewer images
    assert (large.train.log_every, large.train.evaluate_every) == (10, 50)
    assert (small.train.calibrate, large.train.calibrate) == (60, 15)
    assert with_images(CONFIG, 2) == CONFIG
    no_evaluation = replace(CONFIG, train=replace(CONFIG.train, evaluate_every=0))
    assert with_images(no_evaluation, 1).train.evaluate_every == 0


@pytest.mark.parametrize("changes", [{"images": (0,)}, {"norms": ("xn",)}])
def test_mistakes_are_refused(changes: dict) -> None:
    with pytest.raises(
        UserError, match=r"^--images: 0; 1 or more|^--norms: there is no norm 'xn'; did you mean 'sn'\? \(there are bn"
    ):
        combinations(CONFIG, changes.get("norms", ("sn",)), changes.get("images", ()))
