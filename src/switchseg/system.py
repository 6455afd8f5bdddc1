"""What operating systems do differently. What is for Windows could not be tested."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt

    # Without O_BINARY Windows turns line ends and stops at a byte 26, which labels and archives are full of.
    _BINARY, _AT_ONCE = os.O_BINARY, 0
else:
    import fcntl
    import resource

    _BINARY, _AT_ONCE = 0, os.O_NONBLOCK

# What file systems say that know no such call: FUSE, network shares, folders of other systems.
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)

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


def sync(descriptor: int) -> None:
    """Write an open file to disk, where its file system can be asked to."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Write a folder's entries to disk, where that can be asked for: else a rename may be lost in a power cut."""
    if sys.platform == "win32":  # where a folder cannot be opened
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:
        return  # files can be made in it, but it cannot be listed
    try:
        sync(descriptor)
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


def free_memory() -> int:
    """Return the bytes of memory that are free; all that the machine has where the system does not tell (macOS)."""
    if sys.platform == "win32":
        return _filled_in("IIQQQQQQQ", lambda answer, size: ctypes.windll.kernel32.GlobalMemoryStatusEx(answer))[3]
    if found := _entry("/proc/meminfo", "MemAvailable"):
        return found
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def resident_memory() -> int:
    """Return the bytes of memory that this process holds; the most that it held where only that is told (macOS)."""
    if sys.platform == "win32":
        return _of_this_process()[3]
    return _entry("/proc/self/status", "VmRSS") or peak_memory()


def peak_memory() -> int:
    """Return the most bytes that this process held at once, since `forget_peak_memory` where that can be forgotten."""
    if sys.platform == "win32":
        return _of_this_process()[2]
    if found := _entry("/proc/self/status", "VmHWM"):
        return found
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def forget_peak_memory() -> None:
    """Let `peak_memory` begin anew, on Linux."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # not every kernel can
            # 5 sets the kernel's own peak back, which no sampling can miss.
            Path("/proc/self/clear_refs").write_text("5")


def _entry(path: str, key: str) -> int:
    """Return an entry of a table of Linux in bytes, 0 where there is none."""
    with contextlib.suppress(OSError):
        for line in Path(path).read_text().splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
    return 0


def _of_this_process() -> list[int]:
    """Return Windows' PROCESS_MEMORY_COUNTERS."""
    this = ctypes.c_void_p(-1)
    ask = ctypes.windll.kernel32.K32GetProcessMemoryInfo  # type: ignore[attr-defined, unused-ignore]
    return _filled_in("IINNNNNNNN", lambda answer, size: ask(this, answer, size))


def _filled_in(layout: str, ask: Callable[[Any, int], Any]) -> list[int]:
    """Return the fields of a struct that a function of Windows fills in: I 32 bits, Q 64, N as wide as a pointer."""
    types = {"I": ctypes.c_uint32, "Q": ctypes.c_uint64, "N": ctypes.c_size_t}
    fields = [(f"field_{index}", types[letter]) for index, letter in enumerate(layout)]
    answer = type("Answer", (ctypes.Structure,), {"_fields_": fields})()
    # Both structs that are asked for begin with their own size.
    answer.field_0 = ctypes.sizeof(answer)
    ask(ctypes.byref(answer), ctypes.sizeof(answer))
    return [getattr(answer, name) for name, _ in fields]
