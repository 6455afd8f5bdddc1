"""`switchseg probe CONFIG.yaml`: which norm do these data want?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from switchseg import files
from switchseg.cli.run_flags import RunFlags, parse_run, run_config
from switchseg.config.schema import RunConfig
from switchseg.errors import UserError

if TYPE_CHECKING:
    from switchseg.engine.norm_choice import Choice, Result


@dataclass(frozen=True, kw_only=True)
class ProbeFlags(RunFlags):
    """Train CONFIG.yaml for a short time with BN, GN, IN and SN, several seeds each, and say which norm to take.

    The answer comes with what it rests on: scores and their noise, what SN has come to mix, what running statistics
    cost against those of a batch, and the time of a step with each norm.
    """

    images: int | None = None
    """Images per device that the answer is for, in place of train.images_per_device."""
    minutes: float = 10.0
    """About how long all trainings together may take; the number of steps follows from it."""
    steps: int | None = None
    """Optimizer steps of each training, in place of --minutes."""
    seeds: tuple[int, ...] = (304, 305, 306)
    """Two or more: what they differ by is taken for chance."""
    out: Path | None = None
    """Where probe.json goes; without it runs/NAME_OF_CONFIG-probe."""


def run(arguments: Sequence[str]) -> None:
    """Train, print tables and answer, and write all of it."""
    flags, stem = parse_run(ProbeFlags, "probe", arguments)
    _check(flags)
    out = flags.out or Path("runs") / f"{stem}-probe"
    files.check_places([out / "probe.json"])
    from switchseg.engine.norm_choice import choose_norm

    choice = choose_norm(_config(flags), minutes=flags.minutes, steps=flags.steps, seeds=flags.seeds, say=_say)
    files.write_json(out / "probe.json", choice.to_json())
    _print(choice)
    print(f"all of it: {out / 'probe.json'}")


def _check(flags: ProbeFlags) -> None:
    if not 0 < flags.minutes < float("inf"):
        raise UserError(f"--minutes {flags.minutes:g}: above 0 was expected")
    if flags.images is not None and flags.images < 1:
        raise UserError(f"--images {flags.images}: 1 or more were expected")
    if flags.steps is not None and flags.steps < 1:
        raise UserError(f"--steps {flags.steps}: 1 or more were expected")
    if len(set(flags.seeds)) < 2 or min(flags.seeds) < 0:
        raise UserError(f"--seeds {' '.join(map(str, flags.seeds))}: two or more different ones from 0 were expected")


def _config(flags: ProbeFlags) -> RunConfig:
    config = run_config(flags)
    if flags.images is None:
        return config
    return replace(config, train=replace(config.train, images_per_device=flags.images))


def _print(choice: Choice) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    norms = Table("norm", "mIoU of each seed", "mean", "with each batch's statistics", "time of a step", box=None)
    unit = choice.cost("bn" if "bn" in choice.norms else "sn")
    for norm in choice.norms:
        scores = [100 * result.mean_iou for result in choice.of(norm)]
        each, mean = " ".join(f"{score:.1f}" for score in scores), f"{fmean(scores):.1f}"
        norms.add_row(norm, each, mean, _difference(choice.of(norm)), f"{choice.cost(norm) / unit:.2f}")
    shares = Table("layers", *(name.upper() for name in choice.shares["all"]), box=None)
    for part, values in choice.shares.items():
        shares.add_row(part, *(f"{share:.0%}" for share in values.values()))
    console.print(norms, "", shares, "", sep="\n")
    for norm, reason in choice.impossible.items():
        print(f"{norm} was left out: {reason}")
    doubt = "" if choice.verdict.is_clear else ", though the scores leave it open"
    print(f"take {choice.verdict.norm}{doubt}: {choice.verdict.reason}")
    print("flags   " + " ".join(f"--{key.replace('_', '-')} {value}" for key, value in choice.settings.items()))


def _difference(results: Sequence[Result]) -> str:
    """Write by how much a network scores higher with the statistics of each batch than with running ones."""
    if not results[0].by_statistics:
        return "has none"
    return f"{fmean(100 * (each.by_statistics['batch'] - each.by_statistics['running']) for each in results):+.1f}"


def _say(line: str) -> None:
    print(line, flush=True)
