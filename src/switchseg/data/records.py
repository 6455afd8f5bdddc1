"""Lists of files without a Python object per file: ten million records are a few arrays of numbers."""

from __future__ import annotations

import codecs
import gzip
import os
import zlib
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from switchseg import system
from switchseg.errors import UserError

_BLOCK = 1 << 18  # bytes that are read at a time
_LONGEST_LINE = 1 << 20  # bytes; what has no line break is no list
_BLANK = " \t\r\v\f"


class Lines:
    """The lines of a text, looked up by number.

    What stays in memory is where each one starts and how long it is, and the text itself unless it is a plain file.
    """

    def __init__(self, starts: np.ndarray, lengths: np.ndarray, path: str | None = None, text: bytes = b"") -> None:
        self._starts, self._lengths = starts, lengths  # int64 [n], int32 [n]
        self._path, self._text = path, text
        self._file: int | None = None

    @classmethod
    def pack(cls, lines: Iterable[str]) -> Lines:
        """Keep `lines`, none of which holds a line break, in one block of memory."""
        text = "\n".join(lines).encode("utf-8", "surrogateescape")
        starts, lengths = _boundaries(text)
        return cls(starts, lengths, text=text)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: int) -> str:
        start, length = int(self._starts[index]), int(self._lengths[index])
        if self._path is None:
            return self._text[start : start + length].decode("utf-8", "surrogateescape")
        if self._file is None:
            self._file = system.open_bytes(self._path)
        return system.read_at(self._file, length, start).decode("utf-8", "surrogateescape")

    def __getstate__(self) -> dict[str, object]:
        # A descriptor means nothing in another process, which opens the file again.
        return {**self.__dict__, "_file": None}

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)


def read_lines(path: str | os.PathLike[str], visit: Callable[[list[str]], None]) -> Lines:
    """Index the text file `path`, plain or `.gz`, and hand its lines to `visit` in blocks. Blank lines are left out.

    Raises:
        UserError: the file is missing, damaged, no text in UTF-8, or holds no line.
    """
    path = os.fspath(path)
    zipped = path.endswith(".gz")
    kept: list[bytes] = []
    starts: list[np.ndarray] = []
    lengths: list[np.ndarray] = []
    offset = 0
    for block in _blocks(path):
        # Some editors begin a file with a byte order mark.
        mark = len(codecs.BOM_UTF8) if not starts and block.startswith(codecs.BOM_UTF8) else 0
        first, size = _without_blank(block[mark:], *_boundaries(block[mark:]))
        try:
            text = block[mark:].decode()
        except UnicodeDecodeError:
            raise UserError(f"{path}: not a list in UTF-8") from None
        if "\0" in text:
            raise UserError(f"{path}: holds a zero byte; a text in UTF-8 was expected")
        # Counted from the start of the file, or of the kept text where the file is compressed.
        starts.append(first + (offset + mark))
        lengths.append(size)
        # A compressed file cannot be read at random, so the lines stay in memory; blocks without any are dropped.
        if len(first) or not zipped:
            offset += len(block)
        if len(first) and zipped:
            kept.append(block)
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        if lines := [line for line in text.split("\n") if line.strip(_BLANK)]:
            visit(lines)
    if not starts or not sum(map(len, starts)):
        raise UserError(f"{path}: an empty list; one record a line was expected")
    joined = np.concatenate(starts), np.concatenate(lengths)
    return Lines(*joined, text=b"".join(kept)) if zipped else Lines(*joined, path=os.path.abspath(path))


def _blocks(path: str) -> Iterator[bytes]:
    """Yield the file in blocks of whole lines."""
    rest = b""
    if os.path.exists(path) and not os.path.isfile(path):
        raise UserError(f"{path}: the list cannot be read (it is no regular file)")
    try:
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
            while block := file.read(_BLOCK):
                # What follows the last line break waits for the next block: a character may be cut in two there.
                whole, newline, tail = block.rpartition(b"\n")
                if newline:
                    yield rest + whole + newline
                    rest = tail
                else:
                    rest += block
                if len(rest) > _LONGEST_LINE:
                    raise UserError(
                        f"{path}: a line of more than {_LONGEST_LINE} bytes; one record a line was expected"
                    )
            if rest:
                yield rest
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: the list cannot be read ({getattr(error, 'strerror', None) or error})") from None


def _boundaries(text: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return where the lines that are not empty start and how many bytes they have."""
    if not text:
        return np.empty(0, np.int64), np.empty(0, np.int32)
    data = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    # The last line may lack its line break.
    if not len(ends) or ends[-1] != len(data) - 1:
        ends = np.append(ends, len(data))
    starts = np.append(0, ends[:-1] + 1)
    # The carriage return of a Windows line break does not belong to the line.
    ends = ends - ((ends > starts) & (data[np.maximum(ends - 1, 0)] == ord("\r")))
    filled = ends > starts
    return starts[filled], (ends - starts)[filled].astype(np.int32)


def _without_blank(text: bytes, starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out lines of nothing but blanks; only those that begin with one are looked at."""
    filled = np.ones(len(starts), bool)
    for line in np.flatnonzero(np.frombuffer(text, np.uint8)[starts] <= ord(" ")):
        filled[line] = bool(text[starts[line] : starts[line] + lengths[line]].strip(_BLANK.encode()))
    return starts[filled], lengths[filled]
