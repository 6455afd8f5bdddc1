"""Files of a run, one by one: missing, damaged and whole."""

import json

import numpy as np
import pytest

from switchseg.errors import UserError
from switchseg.reports import run_files


def test_what_is_missing_reads_as_nothing(tmp_path):
    assert run_files.read_config(tmp_path / "config.yaml") == {}
    assert run_files.read_classes(tmp_path / "config.json") is None
    assert run_files.read_confusion(tmp_path / "confusion.csv") is None
    assert run_files.read_image_scores(tmp_path / "images.csv") == {}
    assert run_files.read_suspects(tmp_path / "suspects.json") == {}


def test_a_log_counts_what_it_cannot_read_and_the_time_at_work(tmp_path):
    lines = [
        {"event": "start", "step": 0, "time": 100.0, "environment": {}},
        {"event": "train", "step": 1, "time": 104.0},
        {"event": "end", "step": 1, "time": 104.0},
        {"event": "resume", "step": 1, "time": 900.0, "environment": {}},  # the pause is no work
        {"event": "train", "step": 2, "time": 903.0},
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"event": "tra\n')
    events, seconds, unread = run_files.read_log(path)
    assert [record["step"] for record in events["train"]] == [1, 2]
    assert (seconds, unread) == (7.0, 1)
    assert len(events["start"]) == 2
    assert "end" not in events


def test_a_confusion_matrix_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "confusion.csv"
    path.write_text(",a,b\na,3,1\nb,0,5\n")
    assert np.array_equal(run_files.read_confusion(path), [[3, 1], [0, 5]])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (",a,b\na,3,x\nb,0,5\n", "not a matrix of whole numbers"),
        (",a,b\na,3,1\n", "not as many rows as columns"),
        (",a\na,-1\n", "holds counts, but one is -1"),
    ],
)
def test_a_damaged_matrix_is_named(tmp_path, text, told):
    path = tmp_path / "confusion.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=f"confusion.csv: .*{told}"):
        run_files.read_confusion(path)


def test_images_without_a_score_are_left_out(tmp_path):
    path = tmp_path / "images.csv"
    path.write_text("image,mean_iou\na,0.5\nb,nan\n")
    assert run_files.read_image_scores(path) == {"a": 0.5}
    path.write_text("image,mean_iou\na,half\n")
    with pytest.raises(UserError, match=r"images\.csv, line 2: not a table"):
        run_files.read_image_scores(path)


def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_bytes(b'{\n"a": "\xff"}')
    with pytest.raises(UserError, match=r"metrics\.json, line 2: no text in UTF-8 \(byte 8 of the file\)"):
        run_files.read_json(path)


@pytest.mark.parametrize(("value", "drawn"), [(1, True), (0.5, True), (True, False), ("1", False), (1e301, False)])
def test_only_numbers_that_can_be_drawn_are_numbers(value, drawn):
    assert run_files.is_number(value) is drawn
