"""An event's numbers have paths, and a run keeps its name."""

from switchseg.recorders import ALWAYS, RECORDERS, Event, Recorder, Start, require_installed
from tests.recorders.told import PICTURE, train_values


def test_numbers_of_an_event_have_paths():
    scalars = Event("train", 4, train_values(4)).scalars
    assert scalars["train/loss"] == 0.25
    assert scalars["train/lr/encoder"] == 0.02
    shares = Event("shares", 4, {"layers": {"encoder.bn1": {"mean": {"in": 0.25}}}}).scalars
    assert shares == {"shares/encoder.bn1/mean/in": 0.25}
    assert Event("evaluate", 4, {"split": "val", "mean_iou": 0.5, "flip": True, "short_sides": [40]}).scalars == {
        "evaluate/mean_iou": 0.5
    }
    assert Event("end", 4, {"steps": 4, "seconds": 1.0}).scalars == {}


def test_a_recorder_takes_everything_and_does_nothing():
    recorder = Recorder()
    recorder.record(Event("train", 1, {}))
    recorder.picture("a", PICTURE, 1)
    recorder.advance(1)
    recorder.say("line")
    recorder.sync()
    recorder.close("finished")


def test_a_run_that_goes_on_keeps_its_name_and_one_that_begins_gets_another(tmp_path):
    names = iter("ab")
    fresh, resumed = (Start(tmp_path, {}, {}, 0, 8, resumed) for resumed in (False, True))
    assert fresh.kept_name("name.txt", lambda: next(names)) == "a"
    assert resumed.kept_name("name.txt", lambda: next(names)) == "a"
    assert fresh.kept_name("name.txt", lambda: next(names)) == "b"


def test_log_and_terminal_are_recorders_of_every_training():
    assert ALWAYS == ("journal", "terminal")
    assert set(ALWAYS) < set(RECORDERS)


def test_a_package_that_is_broken_is_left_to_the_monitor_s_warning(monkeypatch):
    monkeypatch.setattr(RECORDERS, "_places", {"broken": "switchseg.recorders.recorder:NoSuchThing"})
    require_installed(["broken"])
