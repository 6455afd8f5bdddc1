"""Launching Triton's kernels for the price of one call: a library of ours launches a whole sequence of them.

Triton compiles, and its own launcher stands in where something is not as `launcher` needs it. Imported only when a CUDA
tensor arrives.
"""

from __future__ import annotations

import ctypes
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import cache
from struct import Struct
from weakref import WeakSet

import torch
import triton

from switchseg.norms.operator.launcher import MISALIGNED, Plan, Pointer, Step, UnfitError, is_watched, working_on

__all__ = ["LaunchSequence", "Step"]


class LaunchSequence:
    """Kernels compiled for one device that are launched together, again and again, with other pointers.

    Only the pointers change from call to call: keep a sequence for every shape, type and layout.

    Args:
        steps: The kernels, in order.
        pointers: Types of what the pointers point to by name, in the order in which calls give the addresses.
        device: Index of the CUDA device; the interpreter ignores it.

    Attributes:
        obstacle: Why Triton's launcher does the work, "" where the library does. A warning has said it once.
    """

    def __init__(self, steps: Sequence[Step], pointers: Mapping[str, torch.dtype], device: int) -> None:
        self._steps, self._types, self._device = tuple(steps), dict(pointers), device
        self._addresses = Struct(f"{len(self._types)}Q")
        self._interpreted = not all(isinstance(step.kernel, triton.JITFunction) for step in self._steps)
        self._plan: Plan | None = None
        self.obstacle = "Triton interprets" if self._interpreted else ""
        if self._interpreted:
            return
        try:
            self._plan = Plan(self._steps, self._types, device)
        except UnfitError as reason:
            self.obstacle = str(reason)
            _say(self.obstacle)
        _alive.add(self)

    def __call__(self, stream: int, *addresses: int) -> None:
        """Launch all kernels.

        Args:
            stream: The handle of the device's current stream; it may be another one in every call.
            *addresses: What the tensors' `data_ptr` return, in the order of `pointers`.

        Raises:
            RuntimeError: The driver refused, in this call or after an earlier one.
        """
        self.launch(stream, self._addresses.pack(*addresses))

    def launch(self, stream: int, addresses: bytes) -> None:
        """Launch all kernels, as a call does, with addresses of 64 bits each."""
        plan = self._plan
        if plan is not None and not is_watched():
            error = plan.launch(plan.pack(plan.address, stream, addresses))
            if not error:
                return
            # Of misaligned addresses nothing was launched, and Triton has another variant of the kernels for them.
            if error != MISALIGNED:
                raise RuntimeError(f"the CUDA driver did not launch {self}: error {error}")
        self.launch_by_triton(*self._addresses.unpack(addresses))

    def launch_by_triton(self, *addresses: int) -> None:
        """Launch all kernels by Triton's own launcher, on the device's current stream."""
        make = _tensor_at if self._interpreted else Pointer
        given = zip(self._types.items(), addresses, strict=True)
        tensors = {name: make(address, dtype) for (name, dtype), address in given}
        with nullcontext() if self._interpreted else working_on(self._device):
            for step in self._steps:
                step.kernel[step.grid](**step.options(tensors))

    def forget(self) -> None:
        """Leave all further launches to Triton: a forked process has none of its parent's handles."""
        self._plan = None

    def __repr__(self) -> str:
        return " + ".join(step.kernel.__name__ for step in self._steps)


def _tensor_at(address: int, dtype: torch.dtype) -> torch.Tensor:
    """Return one element in the host's memory: the interpreter wants tensors, and reads what follows all the same."""
    return torch.frombuffer((ctypes.c_char * dtype.itemsize).from_address(address), dtype=dtype)


@cache
def _say(obstacle: str) -> None:
    warnings.warn(f"Triton launches the kernels of SwitchNorm, which costs the host more: {obstacle}", stacklevel=4)


def _forget_all() -> None:
    for sequence in _alive:
        sequence.forget()


_alive: WeakSet[LaunchSequence] = WeakSet()
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_forget_all)
