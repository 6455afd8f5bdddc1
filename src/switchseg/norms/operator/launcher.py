"""What `csrc/launch.cpp` must know of kernels to launch them: the only file that reads a compiled kernel of Triton's.

Whatever of it is not as it is known to be is a reason to leave the launches to Triton; see `launches`.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from struct import Struct, pack
from threading import Lock
from typing import Any, NamedTuple

import torch
import triton

from switchseg.norms.library import load_functions

MISALIGNED = -1
"""What the library returns, having launched nothing, if an address is not divisible by 16 as Triton has compiled in."""

_INTERFACE = 1  # of `csrc/launch.cpp`, like the two that follow; to be raised there and here when arguments change
_LIMIT = 64
_CALL = Struct("2q")  # before the addresses
_SCRATCH = 2  # parameters that Triton adds to those of a kernel: null, as long as it asks for no scratch memory
_FORMATS = {"i32": "<i4x", "i64": "<q", "u32": "<I4x", "u64": "<Q", "fp32": "<f4x"}  # of what is passed by value


class UnfitError(Exception):
    """Kernels that the library cannot launch, and why."""


class Step(NamedTuple):
    """One kernel of a sequence.

    Args:
        kernel: What `triton.jit` returns.
        grid: Programs, in one to three dimensions.
        arguments: By name of the parameter: the name of a pointer of the sequence, a number, or None.
        constants: The compile-time parameters by name.
        warps: How many warps a program has.
    """

    kernel: Any
    grid: tuple[int, ...]
    arguments: Mapping[str, str | int | float | None]
    constants: Mapping[str, Any]
    warps: int = 4

    def options(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Return what to call the kernel with, by name, given something like a tensor for every pointer."""
        values = {name: tensors[value] if isinstance(value, str) else value for name, value in self.arguments.items()}
        return {**values, **self.constants, "num_warps": self.warps}


class Pointer:
    """What Triton takes for a tensor."""

    __slots__ = ("_address", "dtype")

    def __init__(self, address: int, dtype: torch.dtype) -> None:
        self._address, self.dtype = address, dtype

    def data_ptr(self) -> int:
        """Return the address."""
        return self._address


class Plan:
    """Kernels compiled and loaded on a device, and all that a call to launch them needs besides the addresses.

    Args:
        steps: The kernels, in order.
        types: Types of what the pointers point to by name, in the order of the addresses.
        device: Index of the CUDA device.

    Attributes:
        pack: Makes the argument of `launch` from `address`, a stream and the addresses, 64 bits each.
        address: Of the struct that describes the kernels.
        launch: Launches them all, and returns 0, `MISALIGNED` or the driver's error.
        compiled: Triton's compiled kernels, which live as long as their handles are used.

    Raises:
        UnfitError: The library cannot launch them, or is not there.
    """

    __slots__ = ("_sequence", "address", "compiled", "launch", "pack")

    def __init__(self, steps: Sequence[Step], types: Mapping[str, torch.dtype], device: int) -> None:
        functions, context = _library(), ctypes.c_void_p()
        tensors = {name: Pointer(0, dtype) for name, dtype in types.items()}
        slots = {name: slot for slot, name in enumerate(types)}
        try:
            # Asked for its attributes' sake: a Triton without them is found out now, and not in a launch.
            is_watched()
            with _compiling, working_on(device):
                self.compiled = [step.kernel.warmup(grid=step.grid, **step.options(tensors)) for step in steps]
                kernels = [_describe(step, kernel, slots) for step, kernel in zip(steps, self.compiled, strict=True)]
        except (AttributeError, KeyError, TypeError) as error:
            raise UnfitError(f"this Triton is built otherwise than known: {type(error).__name__}: {error}") from error
        if code := functions["context"](device, ctypes.byref(context)):
            raise UnfitError(f"the CUDA driver gives no context for device {device}: error {code}")
        self._sequence = _Sequence(context, len(slots), len(kernels), (_Kernel * len(kernels))(*kernels))
        self.address = ctypes.addressof(self._sequence)
        self.launch = functions["launch"]
        self.pack = Struct(f"{_CALL.format}{8 * len(slots)}s").pack


@contextmanager
def working_on(device: int) -> Iterator[None]:
    """Make a device the one that Triton, and thereby torch, works on."""
    driver = triton.runtime.driver.active
    before = driver.get_current_device()
    if before == device:
        yield
        return
    driver.set_current_device(device)
    try:
        yield
    finally:
        driver.set_current_device(before)


def is_watched() -> bool:
    """Return whether somebody, say a profiler, wants Triton to tell of every launch."""
    runtime = _knobs.runtime
    enter, leave = runtime.launch_enter_hook, runtime.launch_exit_hook
    return bool(getattr(enter, "calls", enter) or getattr(leave, "calls", leave))


_knobs: Any = getattr(triton, "knobs", None)
_compiling = Lock()  # of threads that begin together, each with a device of its own, the first compiles for all


class _Kernel(ctypes.Structure):
    _fields_ = [
        ("function", ctypes.c_void_p),
        ("grid", ctypes.c_uint32 * 3),
        ("threads", ctypes.c_uint32),
        ("shared", ctypes.c_uint32),
        ("parameters", ctypes.c_uint32),
        ("slots", ctypes.c_int32 * _LIMIT),
        ("values", ctypes.c_uint64 * _LIMIT),
    ]


class _Sequence(ctypes.Structure):
    _fields_ = [
        ("context", ctypes.c_void_p),
        ("addresses", ctypes.c_int64),
        ("kernels", ctypes.c_int64),
        ("kernel", ctypes.POINTER(_Kernel)),
    ]


@lru_cache(maxsize=1)
def _library() -> dict[str, Any]:
    """Return the library's functions, connected to the driver.

    Raises:
        UnfitError: There is no library or no driver.
    """
    arguments: dict[str, list[Any]] = {
        "find_driver": [],
        "context": [ctypes.c_int, ctypes.POINTER(ctypes.c_void_p)],
        "launch": [ctypes.c_char_p],
    }
    sizes = {"kernel": ctypes.sizeof(_Kernel), "sequence": ctypes.sizeof(_Sequence), "call": _CALL.size}
    functions = load_functions(Path(__file__).parents[1] / "_launch", _INTERFACE, arguments, sizes)
    if functions is None:
        raise UnfitError("the library that launches kernels was not built for this installation")
    if not functions["find_driver"]():
        raise UnfitError("libcuda.so.1 was not found, or lacks a function")
    return functions


def _describe(step: Step, compiled: Any, slots: Mapping[str, int]) -> _Kernel:
    """Load a kernel on the current device and describe its launch.

    Raises:
        UnfitError: The library cannot do it.
    """
    name, of = step.kernel.__name__, compiled.metadata
    unusual = [key for key in ("launch_pdl", "launch_cooperative_grid") if getattr(of, key)]
    unusual += [key for key in ("global_scratch_size", "profile_scratch_size") if getattr(of, key)]
    if unusual or of.num_ctas != 1:
        raise UnfitError(f"{name} was compiled with {', '.join(unusual) or 'clusters'}")
    passed = {key: kind for key, kind in compiled.src.signature.items() if kind != "constexpr"}
    count = len(passed) + _SCRATCH
    # Parameters go by their place: had the compiler dropped or added one, all after it would be others.
    entry = re.search(r"\.entry[^(]*\(([^)]*)\)", compiled.asm["ptx"])
    if entry is None or entry[1].count(".param ") != count or count > _LIMIT:
        raise UnfitError(f"{name} was compiled to other parameters than {', '.join(passed)} and {_SCRATCH} more")
    compiled._init_handles()
    kernel = _Kernel(compiled.function, (*step.grid, 1, 1)[:3], of.num_warps * of.target.warp_size, of.shared, count)
    # -1 is no address but a value; those left at 0 are Triton's own, for scratch memory that nobody asked for.
    kernel.slots[:] = [-1] * _LIMIT
    for index, (key, kind) in enumerate(passed.items()):
        value = step.arguments[key]
        if isinstance(value, str):
            kernel.slots[index] = slots[value]
        elif kind in _FORMATS:
            kernel.values[index] = int.from_bytes(pack(_FORMATS[kind], value), "little")
        else:
            raise UnfitError(f"{name} takes {key} as {kind}")
    return kernel
