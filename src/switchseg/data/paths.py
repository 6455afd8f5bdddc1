"""Paths of data: the files below a folder, and paths that lists name."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from switchseg.errors import UserError

_MOST_NAMED = 5


def files_below(folder: str | os.PathLike[str]) -> Iterator[str]:
    """Yield the files below `folder`, relative to it, in order.

    Symbolic links are followed, but never twice into a folder. Hidden files and folders are left out: they are what
    systems and editors leave behind (`._a.jpg`, `.ipynb_checkpoints`).

    Raises:
        UserError: a folder cannot be listed.
    """
    seen = set()
    for current, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        # By device and inode, as a path is another one each time that a link leads back.
        status = os.stat(current)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        # In place, or `os.walk` would go on with its own list; sorted, as systems list folders in any order.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        prefix = os.path.relpath(current, folder)
        for file in sorted(files):
            if not file.startswith("."):
                yield file if prefix == "." else f"{prefix}/{file}"


def has_suffix(path: str, suffixes: Sequence[str]) -> bool:
    """Return whether the path ends with one of the suffixes, in small or capital letters."""
    return path.lower().endswith(tuple(suffixes))


def describe_suffixes(paths: Iterable[str]) -> str:
    """Return how many paths there are of each suffix: `3 .heic, 1 without a suffix`."""
    counts = Counter(os.path.splitext(path)[1].lower() for path in paths)
    shown = [f"{count} {suffix or 'without a suffix'}" for suffix, count in counts.most_common(_MOST_NAMED)]
    return ", ".join(shown + ["..."] * (len(counts) > _MOST_NAMED))


def printable(path: str) -> str:
    """Return a path with what is no UTF-8 in its name spelled out, so that any file or terminal can take it."""
    return path.encode("utf-8", "backslashreplace").decode()


def inside(root: Path, path: str, listed_in: str) -> str:
    """Return `path`, relative to `root`, as a full path.

    Raises:
        UserError: it leads out of `root`.
    """
    folder = os.path.abspath(root)
    # Without resolving links: data sets are often links to other disks, which is no way out.
    full = os.path.normpath(os.path.join(folder, path))
    if os.path.commonpath((folder, full)) != folder:
        raise UserError(f"{listed_in}: {path} leads out of the data set's folder {root}; paths are relative to it")
    return full


def with_slashes(path: str) -> str:
    """Return a path of a list with the slashes that it has on other systems than Windows."""
    return path.replace("\\", "/")


def common_folder(paths: Iterable[str]) -> str:
    """Return the folder, with its trailing slash, that all paths start with; empty if there is none."""
    paths = list(paths)
    folder, slash, _ = os.path.commonprefix((min(paths), max(paths))).rpartition("/")
    return folder + slash


def _refuse(error: OSError) -> None:
    raise UserError(f"{error.filename}: the folder cannot be listed ({error.strerror})")
