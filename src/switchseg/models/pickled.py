"""What a file of torch.save will do to time and memory, told before it is loaded.

`torch.load(weights_only=True)` runs no foreign code, but does what the file asks of the few functions that it allows:
a file of 700 bytes may ask for the hash of a tuple that holds 2^60 others, or for an array of 32 GiB. So the
instructions of its pickle are followed here by size alone.
"""

from __future__ import annotations

import os
import pickletools
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_MOST_BYTES = 4 << 20
"""Of the instructions; those of a state dict take about 100 bytes for each tensor."""
_MOST_VALUES = 1 << 20
_MOST_LEVELS = 64
_PICKLES_OF_OLD_FILES = 5  # magic number, version, system, content, keys of the storages

# Of what torch allows, these make something as large as a number says, and so may all of torch but what is harmless and
# the functions that make a tensor of a storage, whose size is that of the file.
_ALLOCATING = ("builtins bytearray", "__builtin__ bytearray")
_HARMLESS = ("torch Size", "torch device", "torch.serialization _get_layout")
_REBUILDING = ("torch._utils _rebuild_", "torch._tensor _rebuild_")

# Instructions by what they do to the stack; the numbers are how many values they take, None those since a mark.
_MAKES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "TUPLE": None, "LIST": None, "DICT": None, "FROZENSET": None}
_ADDS = {"APPEND": 1, "SETITEM": 2, "APPENDS": None, "SETITEMS": None, "ADDITEMS": None}
_REMEMBERS = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_RECALLS = ("GET", "BINGET", "LONG_BINGET")
_CALLS = ("REDUCE", "NEWOBJ", "BUILD")
_MOVES = ("MARK", "POP", "POP_MARK", "DUP")
_NOTHING = ("PROTO", "FRAME", "STOP")


@dataclass
class _Value:
    """A value on the stack: how many there are in it, written out, and in how many levels."""

    count: int = 1
    levels: int = 1
    constant: Any = None
    """A number, the name of a function, or the largest number in a tuple."""

    def hold(self, members: list[_Value]) -> None:
        # Shared members count each time that they are held: a hash walks through all of them, too.
        self.count += sum(member.count for member in members)
        self.levels = max([self.levels, *(member.levels + 1 for member in members)])
        if self.count > _MOST_VALUES or self.levels > _MOST_LEVELS:
            raise ValueError("it holds more values within each other than any model has")


def check_torch_file(path: Path) -> None:
    """Raise unless loading the file takes about as much memory as it is large, and as little time.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no file of torch.save, or asks for more than that.
    """
    size = os.path.getsize(path)
    with path.open("rb") as file:
        # As torch.load itself decides; a file that begins otherwise is read as the old format.
        if file.read(4) != b"PK\x03\x04":
            file.seek(0)
            for _ in range(_PICKLES_OF_OLD_FILES):
                if file.tell() < size:
                    _follow(file, size)
            return
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            # Stored entries cannot grow; a compressed one could unpack to a thousand times the file.
            if any(entry.compress_type != zipfile.ZIP_STORED or entry.file_size > size for entry in entries):
                raise ValueError("its entries are compressed, which torch.save never does")
            for entry in entries:
                if entry.filename.endswith(".pkl"):
                    with archive.open(entry) as file:
                        _follow(file, size)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError(f"a damaged archive: {error}") from None


def _follow(file: IO[bytes], size: int) -> None:
    """Follow the instructions of one pickle in a file of `size` bytes."""
    machine = _Machine(size)
    start = file.tell()
    try:
        for code, argument, position in pickletools.genops(file):
            # Asked at every instruction, so that a file of gigabytes is not followed to its end.
            if (position or start) - start > _MOST_BYTES:
                raise ValueError("its instructions are longer than those of any model")
            machine.step(code.name, argument)
    # Whatever instructions in a wrong order do to the machine; torch would fail at them as well.
    except (AttributeError, IndexError, KeyError, TypeError, UnicodeError) as error:
        raise ValueError(f"not a file of torch.save ({type(error).__name__})") from None


class _Machine:
    """Pickle's machine, with sizes in the place of values."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._stack: list[_Value] = []
        self._marks: list[int] = []
        self._memo: dict[int, _Value] = {}

    def step(self, name: str, argument: Any) -> None:
        """Follow one instruction."""
        if name in _MAKES:
            self._stack.append(_holding(self._take(_MAKES[name])))
        elif name in _ADDS:
            members = self._take(_ADDS[name])
            self._stack[-1].hold(members)
        elif name in _REMEMBERS:
            # MEMOIZE takes no number: it uses the next one that is free.
            self._memo[len(self._memo) if argument is None else argument] = self._stack[-1]
        elif name in _RECALLS:
            self._stack.append(self._memo[argument])
        elif name in _CALLS:
            function, arguments = self._take(2)
            _check_call(function.constant)
            self._stack.append(_holding([function, arguments]))
        elif name in ("PERSID", "BINPERSID"):
            _check_storage(self._stack[-1].constant, self._size)
        elif name in _MOVES:
            self._move(name)
        elif name not in _NOTHING:
            self._stack.append(_Value(constant=argument))

    def _move(self, name: str) -> None:
        if name == "MARK":
            self._marks.append(len(self._stack))
        elif name == "DUP":
            self._stack.append(self._stack[-1])
        else:
            self._take(1 if name == "POP" else None)

    def _take(self, count: int | None) -> list[_Value]:
        start = self._marks.pop() if count is None else len(self._stack) - count
        if start < 0:
            raise IndexError("nothing is left on the stack")
        taken = self._stack[start:]
        del self._stack[start:]
        return taken


def _holding(members: list[_Value]) -> _Value:
    # The largest number stands for all: a storage is a tuple, and its length must be judged wherever in it it stands.
    numbers = [member.constant for member in members if isinstance(member.constant, int)]
    value = _Value(constant=max(numbers, default=None))
    value.hold(members)
    return value


def _check_call(function: Any) -> None:
    """Refuse functions that make something as large as a number says; others torch itself refuses where it must."""
    if not isinstance(function, str):
        return
    of_torch = function.startswith("torch") and function not in _HARMLESS and not function.startswith(_REBUILDING)
    if function in _ALLOCATING or of_torch:
        raise ValueError(f"it calls {function.replace(' ', '.')}, which no state dict needs")


def _check_storage(elements: Any, size: int) -> None:
    if isinstance(elements, int) and not isinstance(elements, bool) and elements > size:
        raise ValueError(f"it speaks of {elements} numbers, but is only {size} bytes large")
