"""Recorded steps and passes do what eager ones do, on a tape of torch's operators."""

import copy
import logging
import re

import pytest
import torch

from switchseg.config.inference import Compute
from switchseg.engine import step as step_module
from switchseg.engine.capture import Recordings
from switchseg.engine.network import Network
from switchseg.engine.step import Stepper, capture_obstacle
from switchseg.losses import LOSSES
from switchseg.losses.config import LossConfig
from switchseg.norms import NORMS, SwitchNorm
from tests.engine.runs import assert_equal
from tests.engine.steps import (
    CASES,
    SIDES,
    advance,
    batches_of,
    make_training,
    options,
    small_training,
    state_of,
)
from tests.engine.tape import NoWaits, Tape, WaitedError

ALL = [
    pytest.param(norm, row, marks=[] if (norm, row) in CASES else pytest.mark.slow)
    for norm in NORMS
    for row in range(8)
]


@pytest.mark.usefixtures("seen_by_torch")
@pytest.mark.parametrize(("norm", "row"), ALL)
def test_recorded_steps_equal_eager_ones_bit_for_bit(norm, row, caplog):
    eager, recorded = (small_training(norm=norm, **options(row)) for _ in range(2))
    stepper = Stepper(recorded, Tape)
    advance(eager, Stepper(eager))
    advance(recorded, stepper)
    assert not caplog.records
    assert len(stepper.recordings) == 2
    assert_equal(state_of(recorded), state_of(eager))
    assert recorded.rates(recorded.step) == eager.rates(eager.step)


@pytest.mark.usefixtures("seen_by_torch")
def test_no_loss_waits_and_recorded_steps_follow_all_of_them():
    settings = {"norm": "gn", "loss": LossConfig(terms=tuple(LOSSES)), "class_weights": (0.5, 1.0, 2.0)}
    eager, recorded = (small_training(precision="fp32", accumulate=2, **settings) for _ in range(2))
    stepper = Stepper(recorded, Tape)
    for training, run in ((eager, Stepper(eager)), (recorded, stepper)):
        advance(training, run, sides=(32,) * 4)
    assert len(stepper.recordings) == 1
    assert_equal(state_of(recorded), state_of(eager))


@pytest.mark.usefixtures("seen_by_torch")
@pytest.mark.parametrize("clip_norm", [None, 0.05])
def test_recorded_steps_scale_the_loss_of_fp16_as_eager_ones_do(clip_norm):
    eager, recorded = (small_training(norm="gn", precision="fp16", clip_norm=clip_norm) for _ in range(2))
    stepper = Stepper(recorded, Tape)
    for training, run in ((eager, Stepper(eager)), (recorded, stepper)):
        advance(training, run, sides=(32, 32))
        for scale in (2.0**120, 2.0**10):  # the first is too large: its step changes no weight and halves it
            before = [parameter.clone() for parameter in training.model.parameters()]
            next(value for key, value in vars(training.scaler).items() if key == "_scale").fill_(scale)
            advance(training, run, sides=(32,))
            changed = not all(map(torch.equal, before, training.model.parameters()))
            assert changed == (scale < 2.0**100)
    assert len(stepper.recordings) == 1
    assert_equal(state_of(recorded), state_of(eager))


@pytest.mark.usefixtures("seen_by_torch")
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_resumed_run_is_recorded_again_and_ends_where_an_undisturbed_one_does(optimizer):
    settings = {"optimizer": optimizer, "precision": "fp32", "dropout": 0.3, "ema_decay": 0.9}
    whole, first, second = (small_training(**settings) for _ in range(3))
    advance(whole, Stepper(whole, Tape), sides=(32,) * 6)
    advance(first, Stepper(first, Tape), sides=(32,) * 3)
    second.load_state_dict(first.state_dict())
    advance(second, Stepper(second, Tape), sides=(32,) * 3)
    assert_equal(second.state_dict(), whole.state_dict())


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("from_device", [True, False])
def test_a_state_moves_between_optimizers_for_the_device_and_for_the_host(optimizer, from_device):
    plain, device = (
        make_training(encoder="test_resnet_dilated8", optimizer=optimizer, precision="fp32"),
        small_training(optimizer=optimizer, precision="fp32"),
    )
    source, target = (device, plain) if from_device else (plain, device)
    advance(source, Stepper(source), sides=(32, 32))
    state = source.state_dict()
    assert all(isinstance(group["lr"], float) for group in state["optimizer"]["param_groups"])
    kinds = [type(group["lr"]) for group in target.optimizer.param_groups]
    target.load_state_dict(copy.deepcopy(state))
    assert [type(group["lr"]) for group in target.optimizer.param_groups] == kinds
    assert [float(group["lr"]) for group in target.optimizer.param_groups] == pytest.approx(
        target.scheduler.get_last_lr()
    )
    advance(target, Stepper(target), sides=(32,))
    advance(source, Stepper(source), sides=(32,))
    for a, b in zip(source.model.parameters(), target.model.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_a_state_that_was_saved_in_another_memory_format_is_laid_out_anew():
    contiguous, last = (small_training(precision="fp32", channels_last=flag) for flag in (False, True))
    advance(contiguous, Stepper(contiguous), sides=(32,))
    last.load_state_dict(contiguous.state_dict())
    for parameter, values in last.optimizer.state.items():
        assert values["momentum_buffer"].stride() == parameter.stride()


def test_an_optimizer_may_keep_numbers():
    first, second = (make_training(encoder="test_resnet_dilated8", precision="fp32") for _ in range(2))
    advance(first, Stepper(first), sides=(32,))
    for values in first.optimizer.state.values():
        values["steps"] = 3
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert all(values["steps"] == 3 for values in second.optimizer.state.values())
    state = state_of(second)["optimizer"]
    assert len(state) == len(second.optimizer.state)
    assert all(isinstance(value, torch.Tensor) for value in state)


@pytest.mark.usefixtures("seen_by_torch")
@pytest.mark.parametrize("norm", ["bn", "sn", "ssn"])
@pytest.mark.parametrize("row", range(8))
def test_a_step_waits_for_the_device_once(norm, row):
    training = small_training(norm=norm, **options(row))
    stepper = Stepper(training)
    advance(training, stepper, sides=(32,))  # makes what is made once, and looks for sparse layers
    for _ in range(2):
        with NoWaits(allowed=1) as watch:
            stepper(batches_of(training, training.step))
    assert watch.waits == 1


def test_what_waits_is_seen():
    values = torch.ones(3)
    for wait in (
        lambda: float(values[0]),
        lambda: bool(values.all()),
        lambda: values[values > 0],
        values.nonzero,
    ):
        with pytest.raises(WaitedError), NoWaits():
            wait()


class Broken(Tape):
    """Cannot record, once it has begun to."""

    def record(self, work):
        super().record(work)
        raise RuntimeError("operation not permitted when stream is capturing\nmore about it")


class Stale(Tape):
    """Leaves out what was recorded last."""

    def replay(self):
        self.calls = self.calls[: len(self.calls) // 2]
        super().replay()


@pytest.mark.usefixtures("seen_by_torch")
@pytest.mark.parametrize(
    ("graph", "reason"), [(Broken, "operation not permitted"), (Stale, "the first replay is .* off in its")]
)
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_graph_that_misbehaves_is_given_up_once_and_aloud(graph, reason, precision, caplog):
    settings = {"precision": precision, "dropout": 0.3, "ema_decay": 0.9, "clip_norm": 0.05}
    eager, recorded = (small_training(**settings) for _ in range(2))
    stepper = Stepper(recorded, graph)
    advance(eager, Stepper(eager))
    advance(recorded, stepper)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.records[0].getMessage().startswith("capture off: ")
    assert len(caplog.records[0].getMessage().splitlines()) == 1
    assert re.search(reason, caplog.records[0].getMessage())
    assert len(stepper.recordings) == 0
    assert_equal(state_of(recorded), state_of(eager))


def test_only_shapes_that_come_again_are_recorded_up_to_the_limit():
    made: list[Tape] = []

    def graphs() -> Tape:
        made.append(Tape())
        return made[-1]

    double = Recordings(lambda x: 2 * x, graphs, limit=2)
    for size, graphs_then in ((1, 0), (2, 0), (1, 1), (2, 2), (3, 2), (3, 2), (1, 2)):
        x = torch.randn(size)
        assert torch.equal(double(x), 2 * x)
        assert len(made) == len(double) == graphs_then
    assert [tape.replays for tape in made] == [2, 1]


def test_results_are_the_callers_own():
    double = Recordings(lambda x: 2 * x, Tape)
    results = [double(torch.tensor([float(value)])) for value in range(4)]
    assert [float(result) for result in results] == [0, 2, 4, 6]


def test_another_setting_forgets_what_was_recorded():
    factor = 2.0
    scaled = Recordings(lambda x: factor * x, Tape)
    x = torch.ones(2)
    for factor in (2.0, 3.0):
        for _ in range(3):
            assert torch.equal(scaled(x, setting=factor), factor * x)
        assert len(scaled) == 1


@pytest.mark.usefixtures("seen_by_torch")
@pytest.mark.parametrize("moments", [("mean_weight", "var_weight"), ("mean_weight",)])
def test_sparse_layers_that_freeze_renew_the_graphs(monkeypatch, moments):
    monkeypatch.setattr(step_module, "_FREEZE_EVERY", 4)
    settings = {"precision": "fp32", "sparse_radius": (0.0, 0.1), "ema_decay": 0.9}
    eager, recorded = (small_training(norm="ssn", **settings) for _ in range(2))
    steppers = {id(eager): Stepper(eager), id(recorded): Stepper(recorded, Tape)}
    recordings = steppers[id(recorded)].recordings
    for training in (eager, recorded):
        stepper = steppers[id(training)]
        advance(training, stepper, sides=(32,) * 4)
        assert len(recordings) == (training is recorded)
        with torch.no_grad():
            for name, parameter in training.model.named_parameters():
                if name.endswith(moments) and "layer1" in name:
                    parameter.copy_(torch.tensor([0.0, 0.0, 1.5]))
        advance(training, stepper, sides=(32,))
        assert len(recordings) == 0
        advance(training, stepper, sides=(32,) * 2)
    assert_equal(state_of(recorded), state_of(eager))
    assert len(recordings) == 1


def test_a_broken_loss_in_the_first_replay_is_no_fault_of_the_graph(caplog):
    value = torch.tensor(float("nan"))
    work = Recordings(lambda x: x * value, Tape)
    for _ in range(3):
        work(torch.ones(2))
    assert len(work) == 0
    assert not caplog.records


def test_what_keeps_steps_from_being_recorded_is_named():
    config = make_training(precision="fp32").config
    assert capture_obstacle(config, ranks=1) == ""
    assert "ranks" in capture_obstacle(config, ranks=2)
    assert "float64" in capture_obstacle(make_training(precision="fp64").config, ranks=1)
    assert "recomputed" in capture_obstacle(
        make_training(precision="fp32", activation_checkpointing=True).config, ranks=1
    )


def test_recorded_passes_equal_eager_ones():
    model = make_training(norm="sn", precision="fp32").model.eval()
    for module in model.modules():
        if isinstance(module, SwitchNorm):
            module.backend = "reference"
    eager, recorded = Network(model, Compute()), Network(model, Compute())
    recorded.recordings = Recordings(recorded._logits, Tape)
    with torch.inference_mode():
        for seed, side in enumerate(SIDES):
            images = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(seed))
            assert torch.equal(recorded(images), eager(images))
    assert len(recorded.recordings) == 2
