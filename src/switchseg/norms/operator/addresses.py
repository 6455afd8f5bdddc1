"""Where the tensors of a call lie, for compiled code that sees memory and not tensors."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from struct import pack
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from switchseg.norms import torch_private
from switchseg.norms.library import load_functions

_INTERFACE = 1  # of `csrc/addresses.cpp`, like all that follows; to be raised there and here when arguments change
# Codes of DLPack, and bits.
_TYPES = {
    torch.int64: (0, 64),
    torch.float64: (2, 64),
    torch.float32: (2, 32),
    torch.float16: (2, 16),
    torch.bfloat16: (4, 16),
}
# Not by `isinstance`: subclasses may keep their numbers elsewhere.
_PLAIN = (nn.Parameter, Tensor)


class Form(NamedTuple):
    """What one of the tensors must be like."""

    dtype: torch.dtype
    elements: int
    """How many it has, in a row; `LIKE_MAPS` where it is shaped and laid out as they are."""


LIKE_MAPS = -1
_LIMIT = 16  # tensors of a call

Reader = Callable[[tuple[Tensor | None, ...]], bytes | None]


class _CForm(ctypes.Structure):
    _fields_ = [("dtype", ctypes.c_int64), ("elements", ctypes.c_int64)]


class _CForms(ctypes.Structure):
    _fields_ = [
        ("keeps_places", ctypes.c_int64),
        ("tensors", ctypes.c_int64),
        ("dims", ctypes.c_int64),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("form", ctypes.POINTER(_CForm)),
    ]


class Forms:
    """What the tensors of a call must be like, so that their addresses say all about them.

    Args:
        shape: Of the maps.
        strides: Of the maps.
        forms: One for each tensor, None where there is no tensor but None.
        keeps_places: Whether None has the address 0, or none.
    """

    def __init__(
        self, shape: Sequence[int], strides: Sequence[int], forms: Sequence[Form | None], keeps_places: bool
    ) -> None:
        assert len(forms) <= _LIMIT
        self._shape, self._strides = tuple(shape), tuple(strides)
        self._forms, self._keeps_places = tuple(forms), keeps_places
        sides = ctypes.c_int64 * len(self._shape)
        each = [_CForm() if form is None else _CForm(_code_of(form.dtype), form.elements) for form in self._forms]
        self._struct = _CForms(
            keeps_places,
            len(each),
            len(self._shape),
            sides(*self._shape),
            sides(*self._strides),
            (_CForm * len(each))(*each),
        )

    def reader(self, exact: bool) -> Reader:
        """Return a function from tensors to their addresses, 64 bits each, or to None if one does not fit.

        It takes a tuple of tensors, all on one device, and None for those that there are not. One without memory does
        not fit.

        Args:
            exact: Whether subclasses of tensors are refused.
        """
        # Bound to what it is called with, since a function around it would cost a quarter of the call.
        return partial(self.ask, exact) if _read is None else partial(_read, ctypes.byref(self._struct), exact)

    def ask(self, exact: bool, tensors: tuple[Tensor | None, ...]) -> bytes | None:
        """Do what a reader does, without the library: ask each tensor for each of its properties."""
        found = []
        for tensor, form in zip(tensors, self._forms, strict=True):
            if tensor is None and form is None:
                found += [0] * self._keeps_places
            elif tensor is None or form is None or (exact and type(tensor) not in _PLAIN):
                return None
            else:
                found.append(self._fits(tensor, form) and _is_beside(tensor, tensors[0]) and tensor.data_ptr())
                if not found[-1]:
                    return None
        return pack(f"{len(found)}Q", *found)

    def _fits(self, tensor: Tensor, form: Form) -> bool:
        if tensor.dtype is not form.dtype:
            return False
        if form.elements != LIKE_MAPS:
            return tensor.numel() == form.elements and tensor.is_contiguous()
        sides = zip(tensor.shape, tensor.stride(), self._strides, strict=False)
        return tensor.shape == self._shape and all(size == 1 or one == other for size, one, other in sides)


def _is_beside(tensor: Tensor, other: Tensor | None) -> bool:
    return other is not None and tensor.device == other.device


def _code_of(dtype: torch.dtype) -> int:
    code, bits = _TYPES[dtype]
    return code | bits << 8 | 1 << 16


def _load() -> Callable[..., bytes | None] | None:
    """Return the library's function, or None."""
    arguments: dict[str, list[Any]] = {
        "connect": [ctypes.c_void_p] * 4,
        "read": [ctypes.c_void_p, ctypes.c_int, ctypes.py_object],
    }
    sizes = {"form": ctypes.sizeof(_CForm), "forms": ctypes.sizeof(_CForms)}
    path = Path(__file__).parents[1] / "_addresses"
    functions = load_functions(path, _INTERFACE, arguments, sizes, ctypes.PyDLL)
    if functions is None or torch_private.exchange_api is None:
        return None
    prototype = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)
    pointer_of = prototype(("PyCapsule_GetPointer", ctypes.pythonapi))
    exchange = pointer_of(torch_private.exchange_api, b"dlpack_exchange_api")
    if not functions["connect"](exchange, id(None), id(Tensor), id(nn.Parameter)):
        return None
    functions["read"].restype = ctypes.py_object
    return functions["read"]  # type: ignore[no-any-return]


_read = _load()
