"""However the images of a step are spread over ranks and accumulated batches, every loss gives one gradient."""

import dataclasses

import pytest
import torch
import torch.distributed as dist

from switchseg.data.sample import Batch
from switchseg.distributed import World
from switchseg.engine.step import Stepper
from switchseg.labels import IGNORED
from switchseg.losses import LOSSES
from switchseg.losses.config import LossConfig
from tests.engine.steps import WORLD, gradients, make_batch, make_training

SETTINGS = {"label_smoothing": 0.1, "ohem_threshold": 0.3, "dice_smoothing": 2.0}
CASES = [(name,) for name in LOSSES] + [tuple(LOSSES)]
WEIGHTS = (0.5, 1.0, 3.0)


def step_of(terms: tuple[str, ...], batches: list[Batch], world: World = WORLD):
    loss = LossConfig(terms=terms, weights=tuple(range(1, 1 + len(terms))), **SETTINGS)
    options = {"loss": loss, "class_weights": WEIGHTS, "accumulate": len(batches), "world": world}
    # GN, for it looks at images one by one.
    training = make_training("gn", encoder="test_resnet_dilated8", **options)
    Stepper(training)(batches)
    return training.meter.read(world).loss, gradients(training)


def images() -> Batch:
    """Four images with ever fewer labels, the last without any."""
    batch = make_batch(labelled=0.9, images=4)
    for index, label in enumerate(batch.labels):
        label.flatten()[len(label.flatten()) - 5 * index :] = IGNORED
    batch.labels[-1] = IGNORED
    return batch


def part(batch: Batch, chosen: slice) -> Batch:
    names = ("images", "labels", "sizes", "names")
    return dataclasses.replace(batch, **{name: getattr(batch, name)[chosen] for name in names})


def assert_same(found, expected) -> None:
    assert found[0] == pytest.approx(expected[0], rel=1e-9)
    for name, gradient in expected[1].items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-9, atol=1e-9 * scale)


@pytest.mark.parametrize("terms", CASES, ids="+".join)
def test_accumulated_batches_do_what_one_batch_does(terms):
    whole = images()
    parts = [part(whole, slice(0, 1)), part(whole, slice(1, 3)), part(whole, slice(3, 4))]
    assert_same(step_of(terms, parts), step_of(terms, [whole]))


@pytest.mark.slow
def test_two_ranks_with_two_batches_each_do_what_one_batch_does(tmp_path):
    torch.multiprocessing.spawn(_rank, (str(tmp_path / "store"),), nprocs=2)


def _rank(rank: int, store: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    torch.set_num_threads(1)
    try:
        whole = images()
        own = [part(whole, slice(index, index + 1)) for index in (2 * rank, 2 * rank + 1)]
        for terms in CASES:
            spread = step_of(terms, own, World(rank=rank, size=2, device=torch.device("cpu")))
            assert_same(spread, step_of(terms, [whole]))
    finally:
        dist.destroy_process_group()
