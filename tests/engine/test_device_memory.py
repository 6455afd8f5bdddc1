from pathlib import Path

import pytest
import torch

from switchseg.engine.memory import Memory

MIB = 2**20


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_the_peak_is_what_the_work_takes_at_once():
    memory = Memory(torch.device("cpu"))
    with memory.peak() as peak:
        torch.ones(16 * MIB).sum()  # of 4 bytes
    assert 60 * MIB < peak.size < 120 * MIB
    assert memory.free() > 0
