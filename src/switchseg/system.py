"""What operating systems do differently. What is for Windows could not be tested."""

from __future__ import annotations

import os
import select
import sys
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt

    # Without O_BINARY Windows turns line ends and stops at a byte 26, which labels and archives are full of.
    _BINARY, _AT_ONCE = os.O_BINARY, 0
else:
    import fcntl

    _BINARY, _AT_ONCE = 0, os.O_NONBLOCK

# A forked child of a process that had used OpenCV's pool of threads crashed (docs/log.md).
START_METHOD = "spawn" if sys.platform == "win32" else "forkserver"
"""How `multiprocessing` starts a process that does not copy the threads and locks of this one."""


def hold(file: IO[Any]) -> None:
    """Lock an open file for this process; the system lets go of it however the process ends.

    Raises:
        BlockingIOError, PermissionError: another process holds it.
    """
    if sys.platform == "win32":
        # Windows locks bytes, not files; the first one stands for the whole.
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        # Unlike flock's, this lock is not inherited by data workers, which may outlive a killed training.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def open_at_once(path: str, flags: int) -> int:
    """Open a file, as an `opener` of `open`, without waiting for whoever might write into it if it is a pipe."""
    return os.open(path, flags | _AT_ONCE)


def open_bytes(path: str | os.PathLike[str]) -> int:
    """Open a file for `read_at`, and return its descriptor."""
    return os.open(path, os.O_RDONLY | _BINARY)


def read_at(descriptor: int, length: int, start: int) -> bytes:
    """Read `length` bytes from `start` on; processes that share a descriptor after a fork do not disturb each other."""
    if sys.platform == "win32":  # where nothing forks
        os.lseek(descriptor, start, os.SEEK_SET)
        return os.read(descriptor, length)
    # One call, because the offset belongs to the open file, which forked workers share: seek and read would race.
    return os.pread(descriptor, length, start)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Write a folder's entries to disk: without this a rename may be lost in a power cut."""
    if sys.platform == "win32":  # where a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_unread(stream: IO[Any]) -> bool:
    """Tell whether a stream is a pipe that nobody reads any more; on Windows nothing tells."""
    if sys.platform == "win32":
        return False
    poll = select.poll()
    try:
        poll.register(stream.fileno(), select.POLLOUT)
    except (OSError, ValueError):  # it is no file
        return False
    # A pipe whose reading end is closed polls as an error; asking costs nothing and writes nothing.
    return any(events & select.POLLERR for _, events in poll.poll(0))
