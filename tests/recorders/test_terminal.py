"""The bar fits a terminal of 80 columns, and plain lines say how much time is left."""

import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import pytest

from switchseg.recorders import Event
from tests.recorders.told import open_recorder, train_values

REPOSITORY = Path(__file__).parents[2]
SHOW = """
import sys
from pathlib import Path
from switchseg.recorders import Event, Start
from switchseg.recorders.terminal import Terminal
values = {"loss": 12.3456, "accuracy": 0.5, "mean_iou": 0.25, "images_per_second": 123.4, "data_wait": 0.01}
terminal = Terminal(Start(Path("."), {}, {"images_per_step": 2}, 99_990, 100_000, False))
for step in (99_991, 99_992):
    terminal.advance(step)
    terminal.record(Event("train", step, values))
terminal.say("a line above the bar")
terminal.close("stopped")
"""


def on_a_terminal(columns: int) -> list[str]:
    """Return what is drawn on a terminal, one line for every time that the bar is."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        [sys.executable, "-c", SHOW],
        stdout=theirs,
        cwd=REPOSITORY,
        env={**environment, "TERM": "xterm-256color", "PYTHONPATH": str(REPOSITORY / "src")},
    ) as process:
        os.close(theirs)
        drawn = b""
        try:
            while piece := os.read(ours, 4096):
                drawn += piece
        except OSError:  # Linux says so when the other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", drawn.decode())
    return [line for line in re.split(r"[\r\n]+", plain) if line.strip()]


def test_the_bar_takes_one_line_of_80_columns_with_numbers_and_time_left():
    lines = on_a_terminal(80)
    assert max(map(len, lines)) <= 80
    bar = [line for line in lines if "99992/100000" in line][-1]
    assert re.fullmatch(r" *99992/100000 +━+.* loss 12\.3456  mIoU 0\.250  123\.4 images/s ETA [0-9:-]+ *", bar)
    assert any(line.strip() == "a line above the bar" for line in lines)


@pytest.mark.parametrize(("step", "eta"), [(4, "  ETA 0:00:04"), (8, "")])
def test_plain_lines_say_how_much_time_is_left(tmp_path, capsys, step, eta):
    terminal = open_recorder("terminal", tmp_path)
    terminal.record(Event("train", step, train_values(step)))
    terminal.close("finished")
    loss = f"loss {1 / step:.4f}"
    assert capsys.readouterr().out == (
        f"step {step}/8  {loss}  accuracy 0.500  mIoU 0.250  2.0 images/s  data wait 1.0 %{eta}\n"
    )
