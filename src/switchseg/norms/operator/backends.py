"""The backends by name, and which of them a call runs."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import NamedTuple, cast

import torch
from torch import Tensor

from switchseg.norms import torch_private
from switchseg.norms.operator import aten, native
from switchseg.norms.operator.call import STATISTICS, Inputs, Options
from switchseg.norms.operator.layout import is_dense
from switchseg.norms.operator.plan import Absent, Backend, Plan, Signature

# In the order in which they are preferred, by type of device.
_OF_DEVICE = {"cpu": ("native", "aten"), "cuda": ("cuda",)}
BACKENDS = ("auto", "reference", *(name for names in _OF_DEVICE.values() for name in names))


class Choice(NamedTuple):
    """What a call runs."""

    backend: str
    """"reference" for the formula by autograd, or the name of a backend of the operator."""
    reason: str


def find_backend(name: str) -> Backend:
    """Return the backend of the operator called `name`."""
    if name == "native":
        return cast(Backend, native)
    if name == "aten":
        return cast(Backend, aten)
    return cast(Backend, import_module("switchseg.norms.operator.cuda"))


def check_backend(name: str) -> None:
    """Raise ValueError if `name` is none of `BACKENDS`."""
    if name not in BACKENDS:
        raise ValueError(f"unknown backend {name!r}; the backends are {', '.join(BACKENDS)}")


def choose(x: Tensor, statistics: tuple[str, ...], backend: str, compiling: bool) -> Choice:
    """Return what a call with inputs like `x` runs, and why; `compiling` is what `torch.compiler.is_compiling` says.

    Raises:
        ValueError: `backend` is unknown, or cannot take `x`.
    """
    if not compiling:
        choice = _choose_once(x.device.type, x.dtype, x.dim(), statistics, backend)
        if choice.backend == "reference" or not (torch_private.is_followed() or _dispatches(x)):
            return choice
        obstacle = "a tracer, a transform, forward-mode AD or a subclass of tensors follows ATen's calls alone"
        return _refused(choice, backend, obstacle)
    # A compiler looks into what it traces, and a cache would hide it.
    choice = _choose(x.device.type, x.dtype, x.dim(), statistics, backend)
    if choice.backend == "reference" or backend != "auto":
        return choice
    if torch_private.is_exporting():
        return Choice("reference", "an exported program holds only ATen operators, to run without this library")
    if choice.backend == "aten" and x.is_contiguous():
        return Choice("reference", "Inductor fuses the formula into as few passes, without leaving its graph")
    return choice


def find_plan(inputs: Inputs, options: Options, backend: str) -> Plan | None:
    """Return how a layer is computed; None if by the formula, or if its maps are not dense.

    What surrounds the call is not looked at: see `choose`.

    Raises:
        ValueError: `backend` is unknown, or cannot take `x`.
    """
    x, residual, _, _, weight, bias, mean, var, batches = inputs
    absent = residual is None, weight is None, bias is None, mean is None, var is None, batches is None
    return plan_once(backend, x.dtype, x.shape, x.stride(), x.device, absent, options)


@lru_cache(maxsize=4096)
def plan_once(
    backend: str,
    dtype: torch.dtype,
    shape: torch.Size,
    strides: tuple[int, ...],
    device: torch.device,
    absent: tuple[bool, ...],
    options: Options,
) -> Plan | None:
    """Return what `find_plan` does, given what decides it: that of `Signature`."""
    name = _choose_once(device.type, dtype, len(shape), options.statistics, backend).backend
    if name == "reference" or not is_dense(torch.empty_strided(shape, strides, device="meta")):
        return None
    return find_backend(name).plan(Signature(dtype, shape, strides, device, Absent(*absent), options))


def _dispatches(x: Tensor) -> bool:
    """Tell whether `x` answers ATen's calls itself, as a `DTensor` does."""
    return type(x).__torch_dispatch__ is not Tensor.__torch_dispatch__


def _refused(choice: Choice, backend: str, obstacle: str) -> Choice:
    if backend != "auto":
        raise ValueError(f"backend {backend!r} does not work here: {obstacle}")
    return Choice("reference", obstacle)


def _choose(device: str, dtype: torch.dtype, dims: int, statistics: tuple[str, ...], backend: str) -> Choice:
    """Choose by what inputs are, whatever surrounds the call."""
    check_backend(backend)
    if backend == "reference":
        return Choice("reference", "asked for")
    obstacles: list[str] = []
    for name in _OF_DEVICE.get(device, ()) if backend == "auto" else (backend,):
        obstacle = _obstacle(name, device, dtype, dims, statistics)
        if not obstacle:
            reason = "few passes over the input instead of many" if backend == "auto" else "asked for"
            return Choice(name, "; ".join([reason, *obstacles]))
        obstacles.append(f"not {name}: {obstacle}")
    if backend != "auto":
        raise ValueError(f"backend {backend!r} does not work here: {obstacles[0].partition(': ')[2]}")
    return Choice("reference", "; ".join(obstacles) or f"there is no operator for {device}")


_choose_once = lru_cache(maxsize=256)(_choose)


@torch_private.constant  # on a GPU it is up to what is installed, which no compiler can trace
def _obstacle(name: str, device: str, dtype: torch.dtype, dims: int, statistics: tuple[str, ...]) -> str:
    if name not in _OF_DEVICE.get(device, ()):
        return f"it takes no inputs on {device}"
    unknown = [statistic for statistic in statistics if statistic not in STATISTICS]
    if unknown:
        return f"it has no {' or '.join(unknown)}"
    if dims < 3:
        return "(N, C) inputs have no maps to read"
    return find_backend(name).obstacle(dtype)
