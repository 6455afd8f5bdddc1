"""`switchseg compare CONFIG.yaml --norms syncbn gn sn --images 1 2 4 --seeds 304 305 306`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from switchseg import files
from switchseg.cli.run_flags import RunFlags, parse_run, run_config
from switchseg.errors import UserError
from switchseg.models.norm_names import NORM_NAMES
from switchseg.registry import named


@dataclass(frozen=True, kw_only=True)
class CompareFlags(RunFlags):
    """Train CONFIG.yaml with every norm, every number of images and every seed, and compare.

    Nothing else differs between the runs, and each sees as many images. Each lies in a folder of OUT. Runs that are
    complete are not trained again, a stopped comparison goes on where it was. What cannot be trained (BatchNorm of one
    image that is pooled to one value) is named and left out.
    """

    norms: tuple[str, ...] = named(NORM_NAMES, ("syncbn", "gn", "sn"))
    """Which norms; differences are taken to the first."""
    images: tuple[int, ...] = ()
    """Images per device in a step, in place of train.images_per_device. What is counted in steps, their number too, is
    scaled so that every run sees as many images."""
    seeds: tuple[int, ...] = ()
    """Seeds, in place of train.seed."""
    out: Path | None = None
    """Where the runs, tables, figure and report.html go; runs/NAME_OF_CONFIG unless given."""


def run(arguments: Sequence[str]) -> int:
    """Train every combination, then write and print the tables and draw figure and report."""
    flags, stem = parse_run(CompareFlags, "compare", arguments)
    out = flags.out or Path("runs") / stem
    from switchseg.distributed import is_main_process, launched_ranks
    from switchseg.engine.single_values import obstacle
    from switchseg.engine.study import combinations
    from switchseg.engine.train import train
    from switchseg.runs.directory import RunDirectory

    names = ("table.md", "table.json", "study.md", "study.json", "study.svg", "report.html")
    files.check_places([out / name for name in names])
    if RunDirectory(out).journal.exists():
        raise UserError(f"{out}: is a run directory, whose report would be replaced; pass another --out")
    # What is wrong with any of them is said now, not after hours of training the others.
    planned = combinations(run_config(flags), flags.norms, flags.images, flags.seeds)
    obstacles = {each.name: obstacle(each.config, launched_ranks()) for each in planned}
    possible = [each for each in planned if obstacles[each.name] is None]
    if is_main_process():
        for name, reason in obstacles.items():
            if reason is not None:
                print(f"{name}: left out, it cannot be trained ({reason})", flush=True)
    if not possible:
        raise UserError(
            "--norms and --images: none of the combinations can be trained; take more images or other norms"
        )
    for each in possible:
        if is_main_process():
            print(f"\n{each.name}: {out / each.name}", flush=True)
        # A signal stops the whole comparison, with the code of the run that it met; the same command goes on there.
        if code := train(each.config, out / each.name):
            return code
    if is_main_process():
        # Trained seed by seed, so that a stopped comparison has whole pairs; shown by norm, the reference first.
        by_norm = sorted(possible, key=lambda each: flags.norms.index(each.config.model.norm))
        print(_write_results([out / each.name for each in by_norm], out))
    return 0


def _write_results(folders: Sequence[Path], out: Path) -> str:
    """Write the tables, the figure of a study and the report, and return what is to be printed."""
    from switchseg.cli.report import write_report
    from switchseg.reports.figures import write_figure
    from switchseg.reports.runs import read_runs
    from switchseg.reports.study import collect_studies
    from switchseg.reports.table import results_table

    runs = read_runs(folders)
    table = results_table(runs)
    files.write_text(out / "table.md", table.to_markdown())
    files.write_json(out / "table.json", table.to_json())
    write_report(folders, out / "report.html")
    told = table.to_markdown()
    if studies := collect_studies(runs):
        told = "\n".join(study.to_markdown() for study in studies)
        files.write_text(out / "study.md", told)
        files.write_json(out / "study.json", {study.scales: study.to_json() for study in studies})
        write_figure("study", runs, out / "study.svg")
        told += f"\nfigure: {out / 'study.svg'}"
    return f"\n{told}\nreport: {out / 'report.html'}"
