"""SIGINT and SIGTERM ask a training to stop after the step it is in; asking twice stops it where it is."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

EXIT_CODE = 75
"""Exit code of a run that was asked to stop and can be resumed (EX_TEMPFAIL in sysexits.h: try again)."""


class _Stopped(BaseException):
    """Ends the work of `StopRequest.at_once`; no Exception, as nothing on the way is to make something of it."""


class StopRequest:
    """Whether a signal asked to stop."""

    def __init__(self) -> None:
        self.signal_name: str | None = None
        self._at_once = False

    @property
    def made(self) -> bool:
        """Whether a signal has come."""
        return self.signal_name is not None

    def at_once(self, work: Callable[[], T], ranks: int = 1) -> T | None:
        """Do work that has no steps, and that is done over after a stop: a signal ends it wherever it is.

        Args:
            work: What is to be done.
            ranks: How many do it together. One of several would be waited for if it left alone, so it does all of it.

        Returns:
            What `work` returns, None if a signal has come before it was done.
        """
        if ranks > 1:
            return work()
        result = None
        # All in one frame: in that of a context manager a signal could raise where nothing catches it.
        try:
            self._at_once = True
            if not self.made:
                result = work()
        except _Stopped:
            pass
        finally:
            self._at_once = False
        return result

    def _make(self, name: str) -> None:
        self.signal_name = name
        if self._at_once:
            self._at_once = False
            raise _Stopped


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
        signal.signal(number, before[number])  # the next one is not caught
        request._make(signal.Signals(number).name)

    for number in before:
        signal.signal(number, handle)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
