"""`switchseg compare CONFIG.yaml --norms syncbn gn sn`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from switchseg import files
from switchseg.cli.run_flags import parse_run, run_config
from switchseg.config.schema import RunConfig
from switchseg.errors import UserError


@dataclass(frozen=True, kw_only=True)
class CompareFlags(RunConfig):
    """Train CONFIG.yaml once per norm and compare: nothing but `model.norm` differs between the runs.

    Each run lies in OUT/NORM. Runs that are complete are not trained again, a stopped comparison goes on where it was.
    """

    norms: tuple[str, ...] = ("syncbn", "gn", "sn")
    """Which norms, in the order of the table's rows."""
    out: Path | None = None
    """Where the runs, table.md, table.json and report.html go (default: runs/NAME_OF_CONFIG)."""


def run(arguments: Sequence[str]) -> int:
    """Train every norm, then write and print the table and draw the report."""
    flags, stem = parse_run(CompareFlags, "compare", arguments)
    out = flags.out or Path("runs") / stem
    from switchseg.cli.report import write_report
    from switchseg.distributed import is_main_process
    from switchseg.engine.train import train
    from switchseg.norms import NORMS
    from switchseg.reports.runs import read_runs
    from switchseg.reports.table import results_table

    if unknown := set(flags.norms) - set(NORMS):  # said now, not after hours of training the others
        raise UserError(f"--norms: unknown norm {min(unknown)!r}; the norms are {', '.join(NORMS)}")
    files.check_places([out / "table.md", out / "table.json", out / "report.html"])
    config = run_config(flags)
    runs = [out / norm for norm in flags.norms]
    for norm, path in zip(flags.norms, runs, strict=True):
        if is_main_process():
            print(f"\n{norm}: {path}", flush=True)
        model = dataclasses.replace(config.model, norm=norm)
        if code := train(dataclasses.replace(config, model=model), path):
            return code
    if not is_main_process():
        return 0
    table = results_table(read_runs(runs))
    files.write_text(out / "table.md", table.to_markdown())
    files.write_json(out / "table.json", table.to_json())
    write_report(runs, out / "report.html")
    print(f"\n{table.to_markdown()}\nreport: {out / 'report.html'}")
    return 0
