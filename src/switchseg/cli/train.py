"""`switchseg train CONFIG.yaml`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from switchseg.cli.run_flags import RunFlags, parse_run, run_config


@dataclass(frozen=True, kw_only=True)
class TrainFlags(RunFlags):
    """Train a model as CONFIG.yaml says, the first argument; every setting of it is a flag too.

    Ends with exit code 0 when the run is complete and 75 when SIGINT or SIGTERM stopped it; the same command then goes
    on where it was. On several GPUs: `torchrun --nproc-per-node 8 -m switchseg train CONFIG.yaml`.
    """

    out: Path | None = None
    """The run directory; runs/NAME_OF_CONFIG unless given."""
    resume: str = "auto"
    """auto: go on from the last checkpoint in the run directory; never: start at step 0; or a checkpoint's path."""


def run(arguments: Sequence[str]) -> int:
    """Train, then draw the report of the run."""
    flags, stem = parse_run(TrainFlags, "train", arguments)
    out = flags.out or Path("runs") / stem
    from switchseg.cli.report import write_report
    from switchseg.distributed import is_main_process
    from switchseg.engine.train import train

    code = train(run_config(flags), out, flags.resume)
    # Not after a stop: the report of a run that goes on would be drawn in the time that a scheduler leaves.
    if code == 0 and is_main_process():
        write_report([out], out / "report.html")
        print(f"report   {out / 'report.html'}")
    return code
