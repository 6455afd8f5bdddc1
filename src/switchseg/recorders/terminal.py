"""The progress of a training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import datetime

import rich.console
import rich.progress
import rich.table

from switchseg.recorders.recorder import Event, Outcome, Recorder, Start


class Terminal(Recorder):
    """Standard output."""

    def __init__(self, start: Start) -> None:
        self._console = rich.console.Console()
        self._steps, self._images_per_step = start.steps, start.environment["images_per_step"]
        self._bar = _progress_bar(self._console)
        self._task = self._bar.add_task("", total=start.steps, completed=start.step)
        self._bar.start()

    def record(self, event: Event) -> None:  # noqa: D102
        if event.kind != "train":
            return
        values = event.values
        speed, wait = f"{values['images_per_second']:.1f} images/s", f"data wait {100 * values['data_wait']:.1f} %"
        loss, score = f"loss {values['loss']:.4f}", f"mIoU {values['mean_iou']:.3f}"
        self._bar.update(self._task, description=f"{loss}  {score}  {speed}")
        # A bar in a log file would be thousands of lines; there each record is one.
        if not self._console.is_terminal:
            accuracy = f"accuracy {values['accuracy']:.3f}"
            # Not rich's estimate, which only the bar shows, and that is disabled here.
            left = (self._steps - event.step) * self._images_per_step / max(values["images_per_second"], 1e-9)
            eta = f"  ETA {datetime.timedelta(seconds=round(left))}" if event.step < self._steps else ""
            self.say(f"step {event.step}/{self._steps}  {loss}  {accuracy}  {score}  {speed}  {wait}{eta}")

    def advance(self, step: int) -> None:  # noqa: D102
        self._bar.update(self._task, completed=step)

    def say(self, line: str) -> None:  # noqa: D102
        # Paths may hold [brackets] that rich would take for styles, and must not be broken where a user copies them.
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def close(self, outcome: Outcome) -> None:  # noqa: D102
        self._bar.stop()


def _progress_bar(console: rich.console.Console) -> rich.progress.Progress:
    fixed = rich.table.Column(no_wrap=True)  # only the bar gives way where the terminal is narrow
    return rich.progress.Progress(
        rich.progress.MofNCompleteColumn(table_column=fixed),
        rich.progress.BarColumn(bar_width=None),
        rich.progress.TextColumn("{task.description}", table_column=fixed.copy()),
        rich.progress.TextColumn("ETA", table_column=fixed.copy()),
        rich.progress.TimeRemainingColumn(table_column=fixed.copy()),
        console=console,
        disable=not console.is_terminal,
        expand=True,
    )
