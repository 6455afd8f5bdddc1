"""Lists of files without a Python object per file: ten million records are a few arrays of numbers."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from switchseg.errors import UserError

_BLOCK = 1 << 18


class Lines:
    """The lines of a text, looked up by number; only where each one starts and how long it is stays in memory."""

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
            self._file = os.open(self._path, os.O_RDONLY)
        # pread leaves no file position behind, so forked workers can share the descriptor.
        return os.pread(self._file, length, start).decode("utf-8", "surrogateescape")

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_file": None}

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)


def read_lines(path: str | os.PathLike[str], visit: Callable[[list[str]], None]) -> Lines:
    """Index the text file `path`, plain or `.gz`, and hand its lines to `visit` in blocks. Blank lines are left out.

    Raises:
        UserError: the file is missing, is not UTF-8, or holds no line.
    """
    path = os.fspath(path)
    zipped = path.endswith(".gz")
    kept: list[bytes] = []
    starts, lengths, offset = [], [], 0
    for block in _blocks(path):
        first, size = _boundaries(block)
        try:
            text = block.decode()
        except UnicodeDecodeError:
            raise UserError(f"{path}: not a list in UTF-8") from None
        starts.append(first + offset)
        lengths.append(size)
        offset += len(block)
        if zipped:
            kept.append(block)
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        if lines := [line for line in text.split("\n") if line]:
            visit(lines)
    if not starts or not sum(map(len, starts)):
        raise UserError(f"{path}: an empty list; one record a line was expected")
    joined = np.concatenate(starts), np.concatenate(lengths)
    return Lines(*joined, text=b"".join(kept)) if zipped else Lines(*joined, path=os.path.abspath(path))


def inside(root: Path, path: str, listed_in: str) -> str:
    """Return `path`, relative to `root`, as a full path.

    Raises:
        UserError: it leads out of `root`.
    """
    folder = os.path.abspath(root)
    full = os.path.normpath(os.path.join(folder, path))
    if os.path.commonpath((folder, full)) != folder:
        raise UserError(f"{listed_in}: {path} leads out of the data set's folder {root}; paths are relative to it")
    return full


def common_folder(paths: Iterable[str]) -> str:
    """Return the folder, with its trailing slash, that all paths start with; empty if there is none."""
    paths = list(paths)
    folder, slash, _ = os.path.commonprefix((min(paths), max(paths))).rpartition("/")
    return folder + slash


def _blocks(path: str) -> Iterator[bytes]:
    """Yield the file in blocks of whole lines."""
    rest = b""
    try:
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
            while block := file.read(_BLOCK):
                whole, newline, tail = block.rpartition(b"\n")
                if newline:
                    yield rest + whole + newline
                    rest = tail
                else:
                    rest += block
            if rest:
                yield rest
    except OSError as error:
        raise UserError(f"{path}: the list cannot be read ({error.strerror or error})") from None


def _boundaries(text: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return where the lines that are not blank start and how many bytes they have."""
    if not text:
        return np.empty(0, np.int64), np.empty(0, np.int32)
    data = np.frombuffer(text, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    if not len(ends) or ends[-1] != len(data) - 1:
        ends = np.append(ends, len(data))
    starts = np.append(0, ends[:-1] + 1)
    ends = ends - ((ends > starts) & (data[np.maximum(ends - 1, 0)] == ord("\r")))
    filled = ends > starts
    return starts[filled], (ends - starts)[filled].astype(np.int32)
