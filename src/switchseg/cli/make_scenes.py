"""`switchseg make-scenes --out DIR --images N --seed S`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from switchseg import files
from switchseg.cli.arguments import parse
from switchseg.errors import UserError


@dataclass(frozen=True, kw_only=True)
class MakeScenesFlags:
    """Generate street and room scenes with labels in ADE20K's layout, to be opened with `--dataset scenes`."""

    out: Path
    """The folder to write."""
    images: int = 200
    """Training images; a fifth as many are written for validation."""
    seed: int = 0
    """The same seed gives the same files."""
    style_spread: float = 1.0
    """How much exposure, colour cast and contrast differ between scenes: 0 gives all one style, 1 that of ordinary
    cameras, 6 hardly two that are alike."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes that draw."""


def run(arguments: Sequence[str]) -> None:
    """Generate the data set."""
    flags = parse(MakeScenesFlags, "make-scenes", arguments)
    for flag, value, least in (("images", flags.images, 1), ("seed", flags.seed, 0), ("workers", flags.workers, 1)):
        if value < least:
            raise UserError(f"--{flag} {value}: {least} or more was expected")
    if not 0 <= flags.style_spread <= 10:
        raise UserError(f"--style-spread {flags.style_spread:g}: a number from 0 to 10 was expected")
    files.check_places(folders=[flags.out])
    from switchseg.data.scenes.generate import make_scenes
    from switchseg.engine.progress import progress

    total = flags.images + max(1, flags.images // 5)
    with progress("scenes", total) as count:
        for _ in make_scenes(flags.out, flags.images, flags.seed, flags.workers, flags.style_spread):
            count(1)
    print(f"{flags.images} training and {total - flags.images} validation scenes in {flags.out}")
