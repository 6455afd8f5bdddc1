"""Training scores between two log lines, and their way through a checkpoint."""

import pytest
import torch

from switchseg.distributed import World
from switchseg.engine.meter import Meter
from switchseg.labels import IGNORED

CPU = torch.device("cpu")
WORLD = World(rank=0, size=1, device=CPU)


def filled() -> Meter:
    meter = Meter(3, CPU)
    labels = torch.tensor([[[0, 0, 1, IGNORED]]])
    predicted = torch.tensor([[[0, 1, 1, 2]]])
    meter.add_prediction(torch.nn.functional.one_hot(predicted, 3).permute(0, 3, 1, 2).float(), labels)
    for loss in (1.0, 2.0):
        meter.add_loss(torch.tensor(loss))
    return meter


def test_a_reading_is_the_mean_since_the_last_one():
    meter = filled()
    reading = meter.read(WORLD)
    assert reading.loss == 1.5
    assert reading.accuracy == pytest.approx(2 / 3)
    assert reading.mean_iou == pytest.approx((1 / 2 + 1 / 2) / 2)  # class 2 was predicted only where nothing counts
    again = meter.read(WORLD)
    assert (again.loss, again.accuracy, again.mean_iou) == (0, 0, 0)


def test_sums_survive_a_checkpoint():
    restored = Meter(3, CPU)
    restored.load_state_dict(filled().state_dict(WORLD), WORLD)
    assert restored.read(WORLD) == filled().read(WORLD)


def test_what_other_ranks_have_counted_since_then_is_forgotten():
    state, other = filled().state_dict(WORLD), filled()
    other.load_state_dict(state, World(rank=1, size=2, device=CPU))
    assert not other.sums[1].any()
    assert torch.equal(other.sums[0], state["loss"])
