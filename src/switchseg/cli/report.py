"""`switchseg report RUN... --out report.html|tables.md`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from switchseg import files
from switchseg.cli.arguments import parse


@dataclass(frozen=True)
class Arguments:
    """Draw one self-contained HTML page from one or more runs, or write their tables."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN ...")]
    """Run directories, or folders that hold some, in the order of the page; differences are taken to the first."""
    out: Path = Path("report.html")
    """The page; a name that ends in .md gets the tables alone."""


def run(arguments: Sequence[str]) -> None:
    """Write the page and say where it is."""
    options = parse(Arguments, "report", arguments)
    files.check_places([options.out])
    files.check_suffix(options.out, ".html", ".htm", ".md", choosing=True)
    size = write_report(options.runs, options.out)
    print(f"{options.out} ({size / 2**20:.1f} MB)")


def write_report(runs: Sequence[Path], out: Path) -> int:
    """Draw the page of these run directories, or write their tables, and return the file's size in bytes.

    Raises:
        UserError: a folder is no run directory, or a file in it is damaged.
    """
    from switchseg.reports.page import report_page
    from switchseg.reports.runs import read_runs
    from switchseg.reports.study import collect_studies
    from switchseg.reports.table import results_table

    found = read_runs(runs)
    if out.suffix == ".md":
        studies = [study.to_markdown() for study in collect_studies(found)]
        # Where nothing is repeated there are no spreads, and a row for each run says it all.
        text = "\n".join(studies) or results_table(found).to_markdown()
    else:
        text = report_page(found)
    files.write_text(out, text)
    return len(text.encode())
