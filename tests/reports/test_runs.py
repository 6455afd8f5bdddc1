import json
import shutil

import numpy as np
import pytest

from switchseg.errors import UserError
from switchseg.reports.page import report_page
from switchseg.reports.runs import read_run, read_runs
from tests.reports.make_runs import CLASSES, START, make_run


def test_a_finished_run_is_read_whole(run_folders):
    run = read_run(run_folders[2])
    written = json.loads((run_folders[2] / "metrics.json").read_text())
    assert run.label == "SN"
    assert run.norm == "sn"
    assert run.finished
    assert run.last_step == 240
    assert run.single.mean_iou_all_classes == written["single"]["mean_iou_all_classes"]
    assert run.multi.short_sides == (180, 240, 300)
    assert [score.name for score in run.single.per_class] == list(CLASSES.names)
    assert run.classes == CLASSES
    assert np.trace(run.confusion) / run.confusion.sum() == pytest.approx(run.single.pixel_accuracy, abs=1e-12)
    assert [picture.name for picture in run.pictures] == [f"street_{index:03d}" for index in range(4)]


def test_a_run_that_goes_on_needs_only_its_log(copy):
    for name in ("metrics.json", "confusion_single.csv", "config.yaml"):
        (copy / name).unlink()
    shutil.rmtree(copy / "pictures")
    shutil.rmtree(copy / "model")
    lines = (copy / "log.jsonl").read_text().splitlines()[:30]
    (copy / "log.jsonl").write_text("\n".join([*lines[:-1], lines[-1][:25]]))
    run = read_run(copy)
    assert not run.finished
    assert run.unreadable_lines == 1
    assert (run.single, run.multi, run.confusion, run.classes, run.pictures) == (None, None, None, None, ())
    assert run.label == "sn"


def test_time_at_work_leaves_out_the_pause_before_a_run_went_on(copy):
    def line(event: str, time: float) -> str:
        return json.dumps({"event": event, "step": 0, "time": START + time})

    times = [("start", 0), ("train", 50), ("resume", 9000), ("train", 9020), ("end", 9030)]
    (copy / "log.jsonl").write_text("\n".join(line(*entry) for entry in times))
    assert read_run(copy).seconds == pytest.approx(50 + 30)


def test_a_run_that_was_prolonged_is_not_finished(copy):
    with (copy / "log.jsonl").open("a") as log:
        log.write(json.dumps({"event": "scores", "step": 240, "time": START + 998}) + "\n")
        log.write(json.dumps({"event": "resume", "step": 240, "time": START + 999}) + "\n")
    run = read_run(copy)
    assert not run.finished
    assert run.single is not None
    with (copy / "log.jsonl").open("a") as log:
        log.write(json.dumps({"event": "checkpoint", "step": 250, "time": START + 1999}) + "\n")
    run = read_run(copy)
    assert (run.single, run.multi, run.confusion, run.pictures, run.image_scores) == (None, None, None, (), {})


def test_runs_of_one_norm_get_labels_of_their_own(tmp_path):
    folders = [make_run(tmp_path / name, "gn", images=1) for name in ("a", "b", "c/a")]
    assert [run.label for run in read_runs(folders[:2])] == ["GN (a)", "GN (b)"]
    assert [run.label for run in read_runs([folders[0], folders[2]])] == [f"GN ({folders[0]})", f"GN ({folders[2]})"]


def test_a_folder_of_runs_stands_for_them_in_the_order_of_their_start(tmp_path):
    for delay, norm in enumerate(("syncbn", "gn", "sn")):
        folder = make_run(tmp_path / norm, norm, images=1)
        first, *rest = (folder / "log.jsonl").read_text().splitlines()
        first = json.dumps({**json.loads(first), "time": START + delay})
        (folder / "log.jsonl").write_text("\n".join([first, *rest]))
    assert [run.label for run in read_runs([tmp_path])] == ["SyncBN", "GN", "SN"]


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"no log\.jsonl"):
        read_runs([tmp_path])
    with pytest.raises(UserError, match="absent: no such folder; give the --out folder of a training"):
        read_runs([tmp_path / "absent"])
    with pytest.raises(UserError, match="name one or more"):
        read_runs([])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", "{"),
        ("metrics.json", '{"single": {"mean_iou": 0.5}}'),
        ("metrics.json", "[1]"),
        ("config.yaml", "a: [1"),
        ("model/config.json", '{"classes": [{"name": "sky"}]}'),
        ("confusion_single.csv", ",sky\nsky,many\n"),
        ("confusion_single.csv", ",sky,road\nsky,1,2\n"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(copy, name, content):
    (copy / name).write_text(content)
    with pytest.raises(UserError) as caught:
        read_run(copy)
    assert str(caught.value).startswith(str(copy / name))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("images_single.csv", b"image,mean_iou,pixel_accuracy\na,0.5,0.5\n\xff\n", ", line 3"),
        ("images_single.csv", b"image,mean_iou\na,0.5\nb,many\n", ", line 3"),
        ("images_single.csv", b"name\na\n", ", line 2"),
        ("confusion_single.csv", b",sky\nsky,\xff\n", ", line 2"),
        ("confusion_single.csv", b",sky\nsky," + b"9" * 40 + b"\n", ""),
        ("confusion_single.csv", b",sky\nsky,-1\n", ""),
        ("confusion_single.csv", b"", ""),
        ("confusion_single.csv", b",sky\n" + b"x" * 200_000 + b",1\n", ""),
        ("metrics.json", b"\xff", ", line 1"),
        ("metrics.json", b"[" * 100_000, ""),
        ("model/config.json", b'{"classes": [{"name": 3, "color": [0, 0, 0]}]}', ""),
        ("model/config.json", b'{"classes": [{"name": "sky", "color": [0, 0, "x"]}]}', ""),
        ("config.yaml", b"\xff", ""),
        ("config.yaml", b"a: !!timestamp x", ""),
    ],
)
def test_bytes_of_any_kind_are_named_with_their_line(copy, name, content, line):
    (copy / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_run(copy)
    assert str(caught.value).startswith(f"{copy / name}{line}:")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        b'{"event": "shares", "step": 1, "time": 1, "layers": {"a": {}}}',
        b'{"event": "shares", "step": 1, "time": 1, "layers": {"a": {"mean": {"in": "x"}, "var": {}}}}',
        b'{"event": "shares", "step": 1, "time": 1, "layers": 5}',
        b'{"event": [], "step": 1, "time": 1}',
        b'{"event": "train", "step": "x", "time": 1}',
        b'{"event": "train", "step": 1, "time": null}',
        b'{"event": "train", "step": 1, "time": NaN}',
        b'{"event": "train", "step": ' + b"9" * 400 + b', "time": 1}',
        b'{"event": "start", "step": 0, "time": 1, "environment": 5}',
        b"\xff",
        b"5",
        b"[" * 100_000,
    ],
)
def test_a_damaged_line_of_the_log_is_left_out_and_counted(copy, line):
    whole = report_page([read_run(copy)])
    log = copy / "log.jsonl"
    first, *rest = log.read_bytes().splitlines()
    log.write_bytes(b"\n".join([first, line, *rest]) + b"\n")
    run = read_run(copy)
    assert run.unreadable_lines == 1
    page = report_page([run])
    assert "1 unreadable log line(s) left out" in page
    assert page.replace(", 1 unreadable log line(s) left out", "") == whole


@pytest.mark.parametrize("key", ["loss", "lr", "epoch", "images_per_second"])
@pytest.mark.parametrize("value", [None, "x", [], {}, 1e999])
def test_a_value_that_is_no_number_is_left_out_of_its_curve(copy, key, value):
    lines = [json.loads(line) for line in (copy / "log.jsonl").read_text().splitlines()]
    for line in lines:
        if line["event"] == "train":
            line[key] = value
    (copy / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert report_page([read_run(copy)])
