"""`switchseg plot shares|curves|classes|study RUN... --out FIG.svg`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from switchseg import files
from switchseg.cli.arguments import parse


@dataclass(frozen=True)
class Arguments:
    """Draw one figure for a paper."""

    kind: Annotated[Literal["shares", "curves", "classes", "study"], tyro.conf.Positional]
    """The IN/LN/BN shares per layer, the training curves, the IoU per class beside its frequency, or mIoU over the
    images per device with its spread over seeds."""
    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN ...")]
    """Run directories, or folders that hold some."""
    out: Path = Path("figure.svg")
    """The figure; its suffix, .svg, .pdf or .png, is its format."""


def run(arguments: Sequence[str]) -> None:
    """Write the figure and say where it is."""
    options = parse(Arguments, "plot", arguments)
    files.check_places([options.out])

    from switchseg.reports.figures import write_figure
    from switchseg.reports.paper import FORMATS
    from switchseg.reports.runs import read_runs

    files.check_suffix(options.out, *FORMATS, choosing=True)
    write_figure(options.kind, read_runs(options.runs), options.out)
    print(options.out)
