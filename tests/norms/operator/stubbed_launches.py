"""Launch kernels through the stub driver, by Triton's launcher and by ours, and compare what the driver is told.

Run by test_launches with the directory of the stub, which `LD_LIBRARY_PATH` and `TRITON_LIBCUDA_PATH` name too.
"""

import ctypes
import os
import re
import sys
import threading
import warnings
from contextlib import contextmanager
from pathlib import Path

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.backends.nvidia.driver import CudaDriver, CudaLauncher, CudaUtils
from triton.runtime import driver

from benchmarks.kernels import compile_step, sequences
from switchseg.norms.operator import launcher
from switchseg.norms.operator.launches import LaunchSequence
from tests.norms.operator.launched_kernels import POINTERS, STEPS

STREAM = 77


class Record(ctypes.Structure):
    """`Launch` of stub_driver.c."""

    _fields_ = [
        ("name", ctypes.c_char * 64),
        ("grid", ctypes.c_uint32 * 3),
        ("block", ctypes.c_uint32 * 3),
        ("shared", ctypes.c_uint32),
        ("parameters", ctypes.c_uint32),
        ("stream", ctypes.c_uint64),
        ("context", ctypes.c_uint64),
        ("values", ctypes.c_uint8 * 8 * 64),
    ]


stub = ctypes.CDLL(str(Path(sys.argv[1]) / "libcuda.so.1"))
stub.stub_launch.restype = ctypes.POINTER(Record)
stub.stub_tell_sizes.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p]
assert stub.stub_sizeof_launch() == ctypes.sizeof(Record)


class Driver(CudaDriver):
    """Triton's own, but for what it asks torch, which here sees no device."""

    def __init__(self):
        self.utils, self.launcher_cls, self.device = CudaUtils(), CudaLauncher, 0

    def get_current_device(self):
        return self.device

    def set_current_device(self, device):
        self.device = device
        stub.cuCtxSetCurrent(ctypes.c_void_p(256 + device))  # what torch's guard does

    def get_current_stream(self, device):
        return STREAM

    def get_device_capability(self, device):
        return 9, 0

    def get_current_target(self):
        return GPUTarget("cuda", 90, 32)


def addresses(count, step=4096):
    return [0x7F00_0000_0000 + step * (index + 1) for index in range(count)]


def told():
    """Return all launches since the last time."""
    records = [bytes(stub.stub_launch(index).contents) for index in range(stub.stub_launches())]
    stub.stub_forget()
    return records


def fields(record):
    return Record.from_buffer_copy(record)


def sequence_of(steps, pointers, device=0):
    """Compile steps, and tell the stub the sizes of the kernels' parameters."""
    sequence = LaunchSequence(steps, pointers, device)
    assert sequence.obstacle == ""
    for compiled in sequence._plan.compiled:
        entry = re.search(r"\.entry[^(]*\(([^)]*)\)", compiled.asm["ptx"])[1]
        sizes = bytes(int(bits) // 8 for bits in re.findall(r"\.param \.[a-z](\d+)", entry))
        stub.stub_tell_sizes(compiled.function, len(sizes), sizes)
    return sequence


def check_the_driver_is_told_the_same(steps, pointers):
    sequence = sequence_of(steps, pointers)
    at = addresses(len(pointers))
    sequence.launch_by_triton(*at)
    expected = told()
    sequence(STREAM, *at)
    ours = told()
    assert len(expected) == len(steps)
    assert ours == expected
    assert all(fields(record).parameters > 2 for record in ours)
    sequence(STREAM, *reversed(at))
    assert told() != expected
    for step, compiled in zip(steps, sequence._plan.compiled, strict=True):
        assert compile_step(step, pointers, 90).asm["cubin"] == compiled.asm["cubin"]


def check_values_by_hand():
    sequence = sequence_of(STEPS, POINTERS)
    x, y, _, bias, _ = at = addresses(5)
    sequence(STREAM + 1, *at)
    first, second, third = map(fields, told())
    assert first.name == second.name == b"scaled"
    assert third.name == b"summed"
    assert [list(record.grid) for record in (first, second, third)] == [[3, 1, 1], [1, 5, 1], [1, 1, 1]]
    assert [list(record.block) for record in (first, second, third)] == [[64, 1, 1], [128, 1, 1], [256, 1, 1]]
    assert first.stream == STREAM + 1
    assert third.shared > 0
    values = [int.from_bytes(bytes(value), "little") for value in first.values]
    tenth = int.from_bytes(bytes(ctypes.c_float(0.1)), "little")
    assert values[: first.parameters] == [x, y, bias, tenth, 1 << 40, 300, 0, 0]


def check_addresses_that_are_not_aligned_go_by_triton():
    sequence = sequence_of(STEPS, POINTERS)
    odd = [address + 4 for address in addresses(5)]
    sequence(STREAM, *odd)
    ours = told()
    sequence.launch_by_triton(*odd)
    assert ours == told()
    assert len(ours) == len(STEPS)


def check_hooks_see_launches():
    sequence = sequence_of(STEPS, POINTERS)
    seen = []

    def hook(metadata):
        seen.append(metadata.get()["name"])

    hooks = triton.knobs.runtime.launch_enter_hook
    hooks.add(hook)
    sequence(STREAM, *addresses(5))
    hooks.remove(hook)
    sequence(STREAM, *addresses(5))
    assert seen == ["scaled", "scaled", "summed"]
    ours = told()
    assert ours[:3] == ours[3:]


def check_errors_are_raised():
    sequence = sequence_of(STEPS, POINTERS)
    for number, fail in ((700, stub.stub_fail_next), (4, stub.stub_fail_to_tell_the_context)):
        fail(number)
        try:
            sequence(STREAM, *addresses(5))
        except RuntimeError as error:
            assert str(error) == f"the CUDA driver did not launch scaled + scaled + summed: error {number}"  # noqa: PT017
        else:
            raise AssertionError("no error")
        assert told() == []  # the others are not tried
    stub.stub_fail_to_tell_the_context(0)
    sequence(STREAM, *addresses(5))
    assert len(told()) == len(STEPS)  # in the context that was current before


def check_threads_without_a_context():
    sequence = sequence_of(STEPS, POINTERS, device=1)
    left = []

    def run(begin):
        stub.cuCtxSetCurrent(ctypes.c_void_p(begin))
        sequence(STREAM, *addresses(5))
        current = ctypes.c_void_p()
        stub.cuCtxGetCurrent(ctypes.byref(current))
        left.append(current.value)

    for begin in (None, 256, 257):
        thread = threading.Thread(target=run, args=(begin,))
        thread.start()
        thread.join()
    assert left == [None, 256, 257]
    assert [fields(record).context for record in told()] == [257] * 9
    assert driver.active.get_current_device() == 0


def check_threads_that_begin_together():
    """As `DataParallel` begins, with a device for each; Triton keeps one current device here for all of them."""
    found = {}

    def run(index):
        found[index] = LaunchSequence([STEPS[0]._replace(grid=(4,), warps=1)], POINTERS, index % 2)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sequence.obstacle for sequence in found.values()] == [""] * 4
    for index, sequence in found.items():
        sequence(STREAM, *addresses(5))
        assert [fields(record).context for record in told()] == [256 + index % 2]
    assert driver.active.get_current_device() == 0


def check_a_fork_leaves_launches_to_triton():
    sequence = sequence_of(STEPS, POINTERS)
    child = os.fork()
    if child == 0:
        assert sequence._plan is None
        sequence(STREAM, *addresses(5))
        os._exit(0 if len(told()) == len(STEPS) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert sequence._plan is not None


@contextmanager
def replaced(name, value):
    """Replace something of `launcher`."""
    before = getattr(launcher, name)
    setattr(launcher, name, value)
    launcher._library.cache_clear()
    yield
    setattr(launcher, name, before)
    launcher._library.cache_clear()


def check_what_does_not_fit_is_said_once_and_left_to_triton():
    at = addresses(5)
    sequence_of(STEPS, POINTERS)(STREAM, *at)
    expected = told()
    cases = [
        ("was not built", "load_functions", lambda *_: None),
        ("libcuda.so.1 was not found", "load_functions", lambda *_: {"find_driver": lambda: 0}),
        ("other parameters than x, y, bias, factor", "_SCRATCH", 3),
        ("no attribute 'runtime'", "_knobs", None),
    ]
    for reason, name, value in cases:
        with replaced(name, value), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            sequences = [LaunchSequence(STEPS, POINTERS, 0) for _ in range(2)]
        assert reason in sequences[0].obstacle
        assert len(caught) == 1
        assert sequences[0].obstacle in str(caught[0].message)
        assert Path(caught[0].filename) == Path(__file__)
        sequences[1](STREAM, *at)
        assert told() == expected


def check_what_kernels_do_not_fit():
    summing = STEPS[2]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        boolean = LaunchSequence([summing._replace(arguments={**summing.arguments, "count": True})], POINTERS, 0)
        waiting = LaunchSequence([summing._replace(constants={**summing.constants, "launch_pdl": True})], POINTERS, 0)
    assert boolean.obstacle == "summed takes count as u1"
    assert waiting.obstacle == "summed was compiled with launch_pdl"


if __name__ == "__main__":
    driver.set_active(Driver())
    driver.active.set_current_device(0)
    check_the_driver_is_told_the_same(STEPS, POINTERS)
    for order in (torch.contiguous_format, torch.channels_last):
        x = torch.empty(1, 256, 64, 64, dtype=torch.bfloat16, device="meta", memory_format=order)
        for direction in sequences(x).values():
            check_the_driver_is_told_the_same(*direction)
    check_values_by_hand()
    check_addresses_that_are_not_aligned_go_by_triton()
    check_hooks_see_launches()
    check_errors_are_raised()
    check_threads_without_a_context()
    check_threads_that_begin_together()
    check_a_fork_leaves_launches_to_triton()
    check_what_does_not_fit_is_said_once_and_left_to_triton()
    check_what_kernels_do_not_fit()
