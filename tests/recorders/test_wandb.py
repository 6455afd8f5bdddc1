"""Offline runs of W&B, read back from the files that `wandb sync` sends."""

import json
import struct
import time
from pathlib import Path

import pytest

from tests.recorders.told import crash_and_go_on

wandb = pytest.importorskip("wandb", reason="needs the package wandb")


def records(file: Path) -> list:
    """Return the records of an offline run: after 7 bytes of header, blocks of pieces as LevelDB's log has them."""
    from wandb.proto import wandb_internal_pb2

    content, place, parts, found = file.read_bytes(), 7, b"", []
    while place + 7 <= len(content):
        if 2**15 - place % 2**15 < 7:  # too little is left of the block for a piece
            place += 2**15 - place % 2**15
            continue
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        parts += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # a whole record, or the last piece of one
            found.append(wandb_internal_pb2.Record.FromString(parts))
            parts = b""
    return found


def next_second() -> None:
    """Wait: W&B names the files of a run by the second."""
    time.sleep(1.01 - time.time() % 1)


def test_an_offline_run_holds_scalars_config_and_pictures_under_one_name(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    crash_and_go_on("wandb", tmp_path / "run", between=next_second)
    wandb.teardown()
    files = sorted((tmp_path / "run" / "wandb").glob("offline-run-*/*.wandb"))
    first, second = map(records, files)
    assert len({record.run.run_id for record in (*first, *second) if record.HasField("run")}) == 1
    (start,) = [record.run for record in second if record.HasField("run")]
    config = {update.key: json.loads(update.value_json) for update in start.config.update}
    assert config["train"]["recorders"] == ["wandb"]
    assert config["start"]["images_per_step"] == 2
    history = [
        {"/".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
        for record in second
        if record.HasField("history")
    ]
    assert [row["_step"] for row in history] == [5, 6, 7, 8]
    assert history[0]["train/loss"] == 0.2
    assert history[-1]["shares/encoder.bn1/mean/bn"] == 0.75
    assert history[-1]["pictures/street/_type"] == "image-file"
    assert len(list((tmp_path / "run" / "wandb").glob("offline-run-*/files/media/images/pictures/street*.png"))) == 1
