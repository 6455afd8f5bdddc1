"""SIGINT and SIGTERM ask a training to stop after the step it is in; asking twice stops it at once."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Any

EXIT_CODE = 75
"""Exit code of a run that was asked to stop and can be resumed (EX_TEMPFAIL in sysexits.h: try again)."""


class StopRequest:
    """Whether a signal asked to stop."""

    def __init__(self) -> None:
        self.signal_name: str | None = None

    @property
    def made(self) -> bool:
        """Whether a signal has come."""
        return self.signal_name is not None


@contextlib.contextmanager
def stop_on_signals() -> Iterator[StopRequest]:
    """Turn SIGINT and SIGTERM into a request while the block runs.

    Raises:
        ValueError: this is not the main thread, the only one in which Python lets signals be handled.
    """
    request = StopRequest()
    # Put back at the end, for a training may run inside another program, which has handlers of its own.
    before: dict[int, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: FrameType | None) -> None:
        request.signal_name = signal.Signals(number).name
        signal.signal(number, before[number])  # the next one is not caught

    for number in before:
        signal.signal(number, handle)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
