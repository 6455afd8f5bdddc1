"""`switchseg finetune FOLDER`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from switchseg import files
from switchseg.cli.arguments import parse
from switchseg.data import DATASETS
from switchseg.errors import UserError
from switchseg.registry import named


@dataclass(frozen=True)
class FinetuneFlags:
    """Look at a folder of images and labels, choose every setting, train, evaluate, and write a report.

    OUT/config.yaml holds all that was chosen, and `switchseg train` repeats it; OUT/finetune.json says why. The same
    command goes on where a stopped one was. Exit codes are those of `switchseg train`.
    """

    folder: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """Images and labels, in any layout of `--dataset` (docs/data.md)."""
    out: Path | None = None
    """The run directory; runs/NAME_OF_FOLDER unless given."""
    minutes: float | None = None
    """Time from the start to the report, which the length of the training is fitted to; by default the number of images
    decides."""
    dataset: str | None = named(DATASETS, None)
    """How the files are laid out; by default what lies in the folder tells."""
    encoder: str | None = None
    """An encoder of `switchseg models`; by default one whose ImageNet weights are at hand."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:INDEX."""
    seed: int = 304
    """Of the split, the initialisation and the order of the data."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes that look at the data."""


def run(arguments: Sequence[str]) -> int:
    """Plan, train, draw the report, and say where everything lies."""
    flags = parse(FinetuneFlags, "finetune", arguments)
    if flags.minutes is not None and not flags.minutes > 0:
        raise UserError(f"--minutes {flags.minutes:g}: above 0 was expected")
    out = flags.out or Path("runs") / flags.folder.resolve().name
    files.check_places(folders=[out])
    from switchseg.cli.report import write_report
    from switchseg.distributed import joined_world
    from switchseg.engine.finetune.plan import Request, plan
    from switchseg.engine.train import train
    from switchseg.runs.directory import RunDirectory

    request = Request(
        folder=flags.folder, dataset=flags.dataset, encoder=flags.encoder, minutes=flags.minutes, seed=flags.seed
    )
    # Left before `train`, which joins a world of its own.
    with joined_world(flags.device) as world:
        config = plan(request, RunDirectory(out), world, flags.workers, _say)
    if code := train(config, out):
        return code
    write_report([out], out / "report.html")
    _say(f"report   {out / 'report.html'}")
    _say(f"config   {out / 'config.yaml'}, the reasons are in {out / 'finetune.json'}")
    _say(f"next     switchseg predict {shlex.quote(str(out))} IMAGES --out labelled")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)
