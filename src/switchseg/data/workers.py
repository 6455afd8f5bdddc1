"""The worker processes of the loader: how they start, and what is said when one has died."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from collections.abc import Iterator

import cv2

from switchseg.errors import UserError

_GRACE_SECONDS = 30


@contextlib.contextmanager
def dead_workers_named() -> Iterator[None]:
    """Turn the RuntimeError of a DataLoader whose worker died into a UserError with its cause.

    PyTorch raises it from a signal handler, wherever the training process happens to be: wrap the whole loop.
    """
    try:
        yield
    except RuntimeError as error:
        if named := death(error):
            raise named from error
        raise


def death(error: Exception) -> UserError | None:
    """Return the mistake that `error` stands for if it is the death of a worker."""
    how = "its connection broke"
    if isinstance(error, RuntimeError):
        said = re.search(r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?:is |was )?([^.\n]*)", str(error))
        if said is None:
            return None
        how = said[1]
    return UserError(f"data.workers: a data worker died ({how}); if memory or /dev/shm ran out, lower data.workers")


def start_worker(_: int) -> None:
    """Set up the process that calls it as a worker of a `DataLoader`."""
    # The training process decides when to stop; a Ctrl-C or a scheduler's SIGTERM reaches its workers too. They last
    # as long as a scheduler waits for the step to end and the checkpoint to be written.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":  # where nothing sends it
        signal.signal(signal.SIGTERM, lambda *_: signal.alarm(_GRACE_SECONDS))
    # No threads; 1 would touch the pool of a parent that was forked, and crash.
    cv2.setNumThreads(0)
