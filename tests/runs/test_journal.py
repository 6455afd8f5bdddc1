"""The journal reads like that of an undisturbed run, whatever happened."""

import json

from switchseg.runs.journal import Journal, read


def steps(path) -> list[int]:
    return [event["step"] for event in read(path)]


def write(path, *numbers: int, resume_step: int | None = None) -> None:
    journal = Journal(path, resume_step)
    for number in numbers:
        journal.write("train", number, loss=0.5)
    journal.sync()
    journal.close()


def test_events_have_kind_step_time_and_values(tmp_path):
    write(tmp_path / "log.jsonl", 3)
    (event,) = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert event.pop("time") > 1.7e9
    assert event == {"event": "train", "step": 3, "loss": 0.5}


def test_steps_that_will_be_run_again_are_taken_out(tmp_path):
    write(tmp_path / "log.jsonl", 1, 2, 3, 4)
    write(tmp_path / "log.jsonl", 3, 4, resume_step=2)
    assert steps(tmp_path / "log.jsonl") == [1, 2, 3, 4]


def test_what_follows_the_checkpoint_at_the_same_step_comes_again(tmp_path):
    path = tmp_path / "log.jsonl"

    def session(resume_step, *kinds):
        journal = Journal(path, resume_step)
        for kind in kinds:
            journal.write(kind, 4)
        journal.close()
        return [event["event"] for event in read(path)]

    # An evaluation that was due with the checkpoint; a scoring that was stopped; a run that is made longer.
    session(None, "train", "checkpoint", "resume", "evaluate")
    assert session(4, "resume", "evaluate") == ["train", "checkpoint", "resume", "resume", "evaluate"]
    session(None, "train", "evaluate", "checkpoint", "calibrate")
    assert session(4, "calibrate") == ["train", "evaluate", "checkpoint", "calibrate"]
    session(None, "train", "checkpoint", "calibrate", "scores", "end")
    assert session(4, "resume") == ["train", "checkpoint", "calibrate", "scores", "end", "resume"]


def test_a_new_run_begins_with_an_empty_journal(tmp_path):
    write(tmp_path / "log.jsonl", 1, 2)
    write(tmp_path / "log.jsonl", 7)
    assert steps(tmp_path / "log.jsonl") == [7]


def test_a_line_that_a_crash_cut_off_is_left_out(tmp_path):
    path = tmp_path / "log.jsonl"
    write(path, 1, 2)
    path.write_text(path.read_text()[:-9])
    assert steps(path) == [1]
    write(path, 2, resume_step=1)
    assert steps(path) == [1, 2]


def test_lines_that_are_no_events_are_left_out_wherever_they_are(tmp_path):
    path = tmp_path / "log.jsonl"
    write(path, 1, 2)
    first, second = path.read_bytes().splitlines()
    damaged = [b"5", b"\xff", b"[]", b"{}", b'{"event": "train", "step": "x", "time": 1}', b"[" * 100_000, b""]
    path.write_bytes(b"\n".join([b"", *damaged, first, *damaged, second, *damaged]))
    assert steps(path) == [1, 2]
    write(path, 2, resume_step=1)
    assert path.read_bytes().count(b"\n") == 2
