"""Where uploads lie, for how long, and how many of them there may be."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

SECONDS_AFTER_ANSWER = 45.0
"""How long an image stays after its answer, for the visitor to see it by another model."""
SECONDS_WAITING = 600.0
"""How long an image that was asked about may wait for its answer."""
SECONDS_BETWEEN_LOOKS = 5.0


class Storage:
    """A folder of its own for the files of one demo; a thread removes what nobody waits for any more.

    Args:
        folder: An empty folder.
        most_bytes: How much may lie in it, or be on its way there; see `room_for`.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self.folder, self._most_bytes = folder, most_bytes
        self._kept: frozenset[Path] = frozenset()
        self._arriving = 0
        self._deadlines: dict[Path, float] = {}
        self._lock = threading.Lock()

    def keep_what_is_there(self) -> None:
        """Never remove the files that lie in the folder now: the samples of the page."""
        self._kept = frozenset(self._files())

    def await_answer(self, path: str | Path) -> None:
        """Somebody has asked about a file: it stays until it is answered, unless that takes too long."""
        self._set(path, SECONDS_WAITING)

    def answered(self, path: str | Path) -> None:
        """The answer is given, or the file refused."""
        self._set(path, SECONDS_AFTER_ANSWER)

    @contextlib.contextmanager
    def room_for(self, more_bytes: int) -> Iterator[bool]:
        """Hold room for an upload of so many bytes while it arrives; yield whether there is any."""
        with self._lock:
            # What has arrived of an upload is counted twice until it is over, lest it not be counted at all: how much
            # that is, and where it lies, only Gradio knows.
            there_is = sum(map(_size, self._files())) + self._arriving + more_bytes <= self._most_bytes
            self._arriving += more_bytes if there_is else 0
        try:
            yield there_is
        finally:
            with self._lock:
                self._arriving -= more_bytes if there_is else 0

    def sweep(self) -> None:
        """Remove the files whose time is over, or that nobody asked about, with the folders that are empty then."""
        now = time.time()
        with self._lock:
            deadlines = dict(self._deadlines)
            # Forgotten when they are over, or the list would grow for as long as the demo runs.
            self._deadlines = {path: end for path, end in deadlines.items() if end > now}
        for path in self._files():
            with contextlib.suppress(OSError):  # somebody else was faster
                # A file that nobody asked about counts from when it was written: its visitor may have left.
                if path not in self._kept and now > deadlines.get(path, path.stat().st_mtime + SECONDS_AFTER_ANSWER):
                    path.unlink()
        for parent, _, _ in os.walk(self.folder, topdown=False):
            with contextlib.suppress(OSError):  # it is not empty
                # Not at once: Gradio makes the folder of an upload before it writes the file.
                if Path(parent) != self.folder and now > os.stat(parent).st_mtime + SECONDS_AFTER_ANSWER:
                    os.rmdir(parent)

    def _set(self, path: str | Path, seconds: float) -> None:
        with self._lock:
            self._deadlines[Path(os.path.abspath(path))] = time.time() + seconds

    def _files(self) -> list[Path]:
        return [Path(parent, name) for parent, _, names in os.walk(self.folder) for name in names]


@contextlib.contextmanager
def temporary_storage(most_bytes: int) -> Iterator[Storage]:
    """Make a folder, let Gradio store everything in it, sweep it while the block lasts, and remove it afterwards."""
    inside = os.environ.get("GRADIO_TEMP_DIR")
    if inside is not None:
        os.makedirs(inside, exist_ok=True)
    # Absolute, since paths in requests are compared with it letter by letter.
    folder = Path(os.path.abspath(tempfile.mkdtemp(prefix="switchseg-demo-", dir=inside)))
    # From this variable Gradio knows where to store; it is put back below, for whoever goes on in this process.
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    storage, over = Storage(folder, most_bytes), threading.Event()

    def look() -> None:
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            storage.sweep()

    thread = threading.Thread(target=look, name="sweeper", daemon=True)
    thread.start()
    try:
        yield storage
    finally:
        over.set()
        # Before the folder goes, so that no sweep is under way in it.
        thread.join()
        if inside is None:
            del os.environ["GRADIO_TEMP_DIR"]
        else:
            os.environ["GRADIO_TEMP_DIR"] = inside
        shutil.rmtree(folder, ignore_errors=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
