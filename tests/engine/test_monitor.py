"""The monitor tells its recorders, and outlives all of them but the run's own record."""

import logging

import pytest

from switchseg.config import yaml
from switchseg.engine.monitor import Monitor
from switchseg.errors import UserError
from switchseg.recorders import RECORDERS, Event, Recorder
from switchseg.runs import journal
from switchseg.runs.directory import RunDirectory
from tests.engine.steps import make_training


class Kept(Recorder):
    """Keeps what it is told, and fails as its class says."""

    told: list
    failing_at: tuple[str, ...] = ()

    def __init__(self, start) -> None:
        type(self).told = [("start", start.step)]
        self._do("make")

    def record(self, event: Event) -> None:
        self._do("record")
        self.told.append((event.kind, event.step))

    def say(self, line: str) -> None:
        self._do("say")
        self.told.append(("say", line))

    def close(self, outcome) -> None:
        self._do("close")
        self.told.append(("close", outcome))

    def _do(self, what: str) -> None:
        if what in self.failing_at:
            raise ConnectionError(f"no route\nto {what}")


@pytest.fixture
def register(monkeypatch):
    """Add recorders for one test."""
    places = dict(RECORDERS._places)
    monkeypatch.setattr(RECORDERS, "_places", places)
    monkeypatch.setattr(RECORDERS, "_entries", dict(RECORDERS._entries))
    return lambda name, recorder: RECORDERS.register(name)(recorder)


@pytest.fixture
def run(tmp_path) -> RunDirectory:
    return RunDirectory(tmp_path)


def watch(run: RunDirectory, *recorders: str, resumed: bool = False) -> Monitor:
    training = make_training(encoder="test_resnet_dilated8", recorders=recorders)
    yaml.save(run.config, training.config)
    return Monitor(run, training, resumed=resumed, images=4)


def test_a_recorder_of_a_plugin_is_told_everything(run, register):
    register("kept", Kept)
    with watch(run, "kept") as monitor:
        monitor.say("hello")
        monitor.event("end", steps=10)
    assert Kept.told == [("start", 0), ("start", 0), ("say", "hello"), ("end", 0), ("close", "finished")]


def test_each_session_of_a_run_is_in_its_record(run):
    for resumed in (False, True, True):
        with watch(run, resumed=resumed):
            pass
    events = journal.read(run.journal)
    assert [event["event"] for event in events] == ["start", "resume", "resume"]
    assert all(event["environment"]["ranks"] == 1 for event in events)


@pytest.mark.parametrize("place", ["make", "record", "say", "close"])
def test_a_recorder_that_fails_is_one_warning_and_the_record_goes_on(run, register, caplog, place):
    register("failing", type("Failing", (Kept,), {"failing_at": (place,)}))
    with caplog.at_level(logging.WARNING), watch(run, "failing") as monitor:
        monitor.say("hello")
        monitor.event("checkpoint", file="step_0.pt")
        monitor.event("end", steps=10)
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == f"the recorder failing has failed, the training goes on without it: no route to {place}"
    assert [event["event"] for event in journal.read(run.journal)] == ["start", "checkpoint", "end"]


def test_a_recorder_that_cannot_be_had_ends_the_training_before_its_first_step(run, register):
    def missing(start) -> Recorder:
        raise UserError("train.recorders: it is not installed")

    register("kept", Kept)
    register("missing", missing)
    with pytest.raises(UserError, match="not installed"):
        watch(run, "kept", "missing")
    assert Kept.told[-1] == ("close", "failed")


def test_an_error_of_the_training_is_told(run, register):
    register("kept", Kept)
    with pytest.raises(RuntimeError), watch(run, "kept"):
        raise RuntimeError
    assert Kept.told[-1] == ("close", "failed")


def test_the_record_of_the_run_may_not_fail(run):
    with watch(run) as monitor:
        monitor._recorders["journal"].close()
        with pytest.raises(ValueError, match="closed file"):
            monitor.event("end", steps=10)
