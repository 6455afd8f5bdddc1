from pathlib import Path

import pytest
import torch

from switchseg import system
from switchseg.engine import memory as module
from switchseg.engine.memory import Memory

MIB = 2**20


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_the_peak_is_what_the_work_takes_at_once():
    memory = Memory(torch.device("cpu"))
    with memory.peak() as peak:
        torch.ones(16 * MIB).sum()  # of 4 bytes
    assert 60 * MIB < peak.size < 120 * MIB
    assert memory.free() > 0


@pytest.mark.parametrize(("limit", "left"), [("1000", 1000 - 900 + 250), ("max", 5000)])
def test_files_that_a_container_has_read_leave_their_memory_to_others(tmp_path, monkeypatch, limit, left):
    texts = {"max": limit, "current": "900", "stat": "anon 300\nactive_file 50\ninactive_file 250"}
    for name, text in texts.items():
        (tmp_path / f"memory.{name}").write_text(f"{text}\n")
    monkeypatch.setattr(module, "_CGROUP", tmp_path)
    monkeypatch.setattr(system, "free_memory", lambda: 5000)
    assert Memory(torch.device("cpu")).free() == left
