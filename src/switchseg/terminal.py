"""What is drawn on a terminal: a bar, and lines that are whole. Importing it loads no torch."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column


def print_line(console: Console, line: str) -> None:
    """Print one line as it is, whatever is in it and wherever it goes."""
    # Paths may hold [brackets] that rich would take for styles, and must not be broken where a user copies them.
    console.print(line, markup=False, highlight=False, soft_wrap=True)


def progress_bar(console: Console) -> Progress:
    """Return a bar for tasks whose description says what is done and how fast; shown on terminals only."""
    fixed = Column(no_wrap=True)  # only the bar gives way where the terminal is narrow
    return Progress(
        MofNCompleteColumn(table_column=fixed),
        BarColumn(bar_width=None),
        TextColumn("{task.description}", table_column=fixed.copy()),
        TextColumn("ETA", table_column=fixed.copy()),
        TimeRemainingColumn(table_column=fixed.copy()),
        console=console,
        disable=not console.is_terminal,
        expand=True,
    )
