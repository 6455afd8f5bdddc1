"""A loss that is not finite: what stops, when, and what is said."""

import pytest
import torch

from switchseg.engine.guard import Guard
from switchseg.engine.step import Stepper
from switchseg.errors import UserError
from switchseg.losses.criterion import Criterion
from switchseg.losses.pixels import CrossEntropy
from tests.engine.steps import (
    advance,
    batches_of,
    small_training,
)
from tests.engine.tape import Tape


@pytest.mark.usefixtures("seen_by_torch")
@pytest.mark.parametrize("graphs", [None, Tape])
def test_a_loss_that_is_not_finite_stops_all_updates_and_is_found_one_step_later(graphs):
    training = small_training(precision="fp32")
    stepper = Stepper(training, graphs)
    advance(training, stepper, sides=(32,) * 3)
    with torch.no_grad():
        training.model.encoder.body.layer2[0].conv1.weight[0, 0, 0, 0] = float("inf")
    before = {name: parameter.clone() for name, parameter in training.model.named_parameters()}
    moments = [state["momentum_buffer"].clone() for state in training.optimizer.state.values()]
    stepper(batches_of(training, 3))
    with torch.no_grad():  # what the weights are later does not matter: the device has stopped
        training.model.encoder.body.layer2[0].conv1.weight[0, 0, 0, 0] = 0.0
        before["encoder.body.layer2.0.conv1.weight"][0, 0, 0, 0] = 0.0
    with pytest.raises(UserError, match=r"step 3: the loss is nan .*image_0, image_1.*nothing was updated"):
        stepper(batches_of(training, 4))
    assert all(torch.equal(value, before[name]) for name, value in training.model.named_parameters())
    assert all(map(torch.equal, moments, (state["momentum_buffer"] for state in training.optimizer.state.values())))


class Overflowing(CrossEntropy):
    def sum(self, logits, labels):
        return super().sum(logits, labels) + float("inf")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_infinite_loss_with_finite_gradients_updates_nothing_either(precision):
    training = small_training(norm="gn", precision=precision)
    stepper = Stepper(training)
    advance(training, stepper, sides=(32,))
    training.criterion = Criterion([(Overflowing(), 1.0)])
    before = [parameter.clone() for parameter in training.model.parameters()]
    stepper(batches_of(training, 1))
    with pytest.raises(UserError, match=r"step 1: the loss is inf .*the labels or the loss are at fault"):
        training.guard.settle()
    assert all(map(torch.equal, before, training.model.parameters()))


@pytest.mark.parametrize("on_device", [False, True])
def test_a_wish_to_stop_is_known_once_the_loss_of_its_step_has_been_read(on_device):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    guard = Guard(optimizer, torch.device("cpu"), on_device)
    known = []
    for wishes in (0.0, 1.0, 0.0):
        guard.see(torch.tensor(1.0), str, torch.tensor(wishes))
        guard.queue(str)
        known.append(guard.asked_to_stop)
    # A device that stops by itself is not waited for: its step is read when the next one has been queued.
    assert known == [False, not on_device, True]
