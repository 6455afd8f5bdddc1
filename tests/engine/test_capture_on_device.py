"""Recorded steps and passes on a GPU: equal to eager ones, resumed, stopped, without waits, given up unharmed."""

import pytest
import torch

from switchseg.config.inference import Compute
from switchseg.distributed import World, choose_device
from switchseg.engine import step as step_module
from switchseg.engine.network import Network
from switchseg.engine.step import Stepper
from switchseg.engine.streams import own_stream
from switchseg.engine.training import Training
from switchseg.errors import UserError
from switchseg.metrics import confusion_of_classes
from tests.engine.runs import assert_equal
from tests.engine.steps import (
    CASES,
    SIDES,
    advance,
    batches_of,
    make_training,
    options,
    state_of,
)

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture
def device(monkeypatch):
    """A GPU whose libraries give equal bits for equal work."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    device = choose_device("cuda")
    with own_stream(device):
        yield device


def training_on(device: torch.device, **settings) -> Training:
    """Return a training whose every operation adds in one order: only then can runs be compared bit for bit.

    The backward pass of max pooling adds with atomics on CUDA. Labels have the size of the logits, so that none of
    bilinear resizing, which does so too, takes place.
    """
    world = World(rank=0, size=1, device=device)
    training = make_training(encoder="test_resnet_dilated8", world=world, **settings)
    training.model.encoder.body.maxpool = torch.nn.AvgPool2d(2)
    return training


@pytest.mark.parametrize(("norm", "row"), CASES)
def test_recorded_steps_equal_eager_ones(norm, row, device, caplog):
    settings = {"norm": norm, **options(row)}
    eager, again = (training_on(device, capture="off", **settings) for _ in range(2))
    recorded = training_on(device, **settings)
    stepper = Stepper(recorded)
    for training in (eager, again):
        advance(training, Stepper(training))
    advance(recorded, stepper)
    assert not caplog.records
    assert len(stepper.recordings) == 2
    assert_equal(state_of(again), state_of(eager))  # or no graph could be told from a wrong one
    assert_equal(state_of(recorded), state_of(eager))


@pytest.mark.parametrize("row", [0, 7])
def test_channels_last_and_fp16_are_recorded_too(row, device, caplog):
    settings = {**options(row), "precision": "fp16", "channels_last": True}
    eager, recorded = training_on(device, capture="off", **settings), training_on(device, **settings)
    stepper = Stepper(recorded)
    advance(eager, Stepper(eager))
    advance(recorded, stepper)
    assert not caplog.records
    assert len(stepper.recordings) == 2
    assert_equal(state_of(recorded), state_of(eager))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_resumed_run_ends_where_an_undisturbed_one_does(optimizer, device):
    settings = {"optimizer": optimizer, "precision": "bf16", "dropout": 0.3, "ema_decay": 0.9}
    whole, first, second = (training_on(device, **settings) for _ in range(3))
    advance(whole, Stepper(whole), sides=(32,) * 6)
    advance(first, Stepper(first), sides=(32,) * 3)
    second.load_state_dict(first.state_dict())
    advance(second, Stepper(second), sides=(32,) * 3)
    assert_equal(second.state_dict(), whole.state_dict())


@pytest.mark.parametrize("capture", ["auto", "off"])
def test_a_loss_that_is_not_finite_stops_all_updates(capture, device):
    training = training_on(device, precision="fp32", capture=capture)
    stepper = Stepper(training)
    advance(training, stepper, sides=(32,) * 3)
    with torch.no_grad():
        training.model.encoder.body.layer2[0].conv1.weight[0, 0, 0, 0] = float("inf")
    before = {name: parameter.clone() for name, parameter in training.model.named_parameters()}
    stepper(batches_of(training, 3))
    with pytest.raises(UserError, match=r"step 3: the loss is nan .*image_0, image_1.*layer2\.0\.conv1\.weight"):
        stepper(batches_of(training, 4))
    assert all(torch.equal(value, before[name]) for name, value in training.model.named_parameters())


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("capture", ["auto", "off"])
@pytest.mark.parametrize(("norm", "row"), [("bn", 0), ("gn", 3), ("sn", 5), ("sn", 6), ("ssn", 7)])
def test_no_step_waits(norm, row, capture, device):
    training = training_on(device, norm=norm, capture=capture, **options(row))
    stepper = Stepper(training)
    advance(training, stepper, sides=(32,) * 3)
    batches = [batches_of(training, step) for step in range(3)]
    torch.cuda.set_sync_debug_mode("error")
    try:
        for each in batches:
            stepper(each)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    training.guard.settle()


def test_a_broken_recording_leaves_the_training_as_it_was(device, caplog, monkeypatch):
    settings = {"precision": "fp16", "dropout": 0.3, "clip_norm": 0.05, "optimizer": "adamw"}
    eager, broken = training_on(device, capture="off", **settings), training_on(device, **settings)
    advance(eager, Stepper(eager))
    update = step_module._update

    def waiting_update(training: Training) -> None:
        update(training)
        float(training.guard.loss)  # cannot be recorded

    monkeypatch.setattr(step_module, "_update", waiting_update)
    advance(broken, Stepper(broken))
    assert [record.getMessage()[:13] for record in caplog.records] == ["capture off: "]
    assert_equal(state_of(broken), state_of(eager))


@pytest.mark.parametrize("norm", ["bn", "sn"])
def test_recorded_passes_equal_eager_ones(norm, device, caplog):
    model = training_on(device, norm=norm, precision="fp32").model.eval()
    eager, recorded = Network(model, Compute(capture="off")), Network(model, Compute())
    with torch.inference_mode():
        for side in SIDES:
            images = torch.randn(1, 3, side, side, device=device)
            assert torch.equal(recorded(images), eager(images))
    assert len(recorded.recordings) == 2
    assert not caplog.records


def test_pairs_are_counted_as_on_the_cpu(device):
    truth, predicted = torch.randint(0, 256, (2, 9, 9)), torch.randint(0, 5, (2, 9, 9))
    counted = confusion_of_classes(predicted.to(device), truth.to(device), 5).cpu()
    assert torch.equal(counted, confusion_of_classes(predicted, truth, 5))
