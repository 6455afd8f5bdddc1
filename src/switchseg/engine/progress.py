"""How far long work has come: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from switchseg.terminal import print_line, progress_bar

SECONDS_BETWEEN_LINES = 15.0


@contextmanager
def progress(
    what: str, total: int, unit: str = "images", shown: bool = True, before: int = 0
) -> Iterator[Callable[[int], None]]:
    """Show the progress of `what` on stderr while the context lasts; yields a function that counts finished units.

    Args:
        what: The work.
        total: How many units it has.
        unit: What they are called, in the plural.
        shown: Whether anything is said.
        before: How many of them an earlier call has finished; they count as done, not as fast.
    """
    # stderr: what a command prints may be piped into another one.
    console = Console(stderr=True, quiet=not shown)
    if before and before == total:
        print_line(console, f"{what}: nothing had to be done, all {total} {unit} were finished before")
        yield lambda finished: None
    elif console.is_terminal:
        with progress_bar(console) as bar:
            task = bar.add_task(what, total=total, completed=before)
            started = time.monotonic()

            def count(finished: int) -> None:
                bar.advance(task, finished)
                # Two readings of the clock can be equal.
                speed = (bar.tasks[0].completed - before) / max(time.monotonic() - started, 1e-9)
                bar.update(task, description=f"{what}  {speed:.1f} {unit}/s")

            yield count
    else:
        yield _Lines(console, what, total, unit, before).count


@contextmanager
def working(what: str) -> Iterator[None]:
    """Say on stderr what goes on while the context lasts and cannot be counted, with the time that it takes."""
    console, started = Console(stderr=True), time.monotonic()
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), SpinnerColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as spinner:
            spinner.add_task(what, total=None)
            yield
    else:
        print_line(console, f"{what} ...")
        yield
    seconds = time.monotonic() - started
    print_line(console, f"{what}: {seconds:.1f} s")


class _Lines:
    """Prints a line every `SECONDS_BETWEEN_LINES` in which units were finished, and one at the end."""

    def __init__(self, console: Console, what: str, total: int, unit: str, before: int) -> None:
        self._console, self._what, self._total, self._unit, self._before = console, what, total, unit, before
        # The clock starts with the lines: short work says nothing but its last line.
        self._done, self._started, self._spoke = before, time.monotonic(), time.monotonic()

    def count(self, finished: int) -> None:
        self._done += finished
        now = time.monotonic()
        if self._done < self._total and now - self._spoke < SECONDS_BETWEEN_LINES:
            return
        self._spoke = now
        # Two readings of the clock can be equal.
        speed = (self._done - self._before) / max(now - self._started, 1e-9)
        print_line(self._console, f"{self._what}: {self._done}/{self._total} {self._unit}, {speed:.1f} {self._unit}/s")
