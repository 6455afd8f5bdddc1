"""The table of what kernels take, of the small kernels that are at hand."""

import pytest

pytest.importorskip("triton")

from benchmarks.kernels import ARCHITECTURES, compile_step, usage  # noqa: E402
from tests.norms.operator.launched_kernels import POINTERS, STEPS  # noqa: E402


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_usage_of_small_kernels(architecture):
    used = [usage(compile_step(step, POINTERS, architecture)) for step in STEPS]
    assert all(8 <= one.registers <= 64 and one.spilled == 0 for one in used)
    assert used[0].shared == 0
    assert used[2].shared > 0  # sums over a program's warps


def test_usage_of_a_kernel_without_registers_to_spare():
    greedy = STEPS[0]._replace(constants={"BLOCK": 2048}, warps=1)
    roomy, narrow = (usage(compile_step(greedy, POINTERS, 90, maxnreg=limit)) for limit in (255, 32))
    assert narrow.registers <= 32 < roomy.registers
    assert narrow.spilled > 0
