"""How often two arrays of small integers hold which pair of values: bytes by a loop in C++, all else by torch."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

BYTES = 256
"""How many values a byte has."""

_INTERFACE = 1  # of `csrc/pairs.cpp`; to be raised there and here when arguments change


def _load_loop() -> Callable[..., int] | None:
    """Return the compiled loop, or None where it was not built, or not for this machine or these sources."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(str(Path(__file__).with_name("_pairs.so")))
        # A library of older sources may be left there: called with other arguments it would write anywhere.
        if library.switchseg_interface() == _INTERFACE:
            library.switchseg_count_pairs.argtypes = [
                *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)
            ]
            return library.switchseg_count_pairs
    return None


loop = _load_loop()


def count_pairs(rows: Tensor, columns: Tensor, values: int) -> Tensor:
    """Count the places where `rows` holds r and `columns` c.

    Args:
        rows: Integers in 0 .. values - 1, of any shape.
        columns: Integers of the same range and shape.
        values: How many values there may be; `BYTES` for uint8.

    Returns:
        int32 or int64 [values, values] on the device of `rows`, counts at [r, c].

    Raises:
        ValueError: the two differ in shape; the loop would read past the end of one.
    """
    if rows.shape != columns.shape:
        raise ValueError(f"pairs need two arrays of one shape, got {tuple(rows.shape)} and {tuple(columns.shape)}")
    # The loop counts in int32.
    if loop is not None and rows.numel() < 2**31 and _are_bytes(rows) and _are_bytes(columns):
        # It walks over memory, and views may have gaps.
        rows, columns = rows.contiguous(), columns.contiguous()
        counts = torch.zeros(BYTES, BYTES, dtype=torch.int32, device="cpu")
        loop(rows.data_ptr(), columns.data_ptr(), rows.numel(), counts.data_ptr())
        return counts
    pairs = rows.long().mul_(values).add_(columns).flatten()
    counts = pairs.new_zeros(values**2)  # not bincount, which waits for the device to know the largest value
    return counts.scatter_add_(0, pairs, torch.ones_like(pairs)).view(values, values)


def _are_bytes(values: Tensor) -> bool:
    return values.is_cpu and values.dtype == torch.uint8
