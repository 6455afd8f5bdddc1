"""The progress of a training: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import datetime

from rich.console import Console

from switchseg.recorders.recorder import Event, Outcome, Recorder, Start
from switchseg.terminal import print_line, progress_bar


class Terminal(Recorder):
    """Standard output."""

    def __init__(self, start: Start) -> None:
        self._console = Console()
        self._steps, self._images_per_step = start.steps, start.environment["images_per_step"]
        self._bar = progress_bar(self._console)
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
        print_line(self._console, line)

    def close(self, outcome: Outcome) -> None:  # noqa: D102
        self._bar.stop()
