"""`switchseg check-data --dataset D --root DIR`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from switchseg import files
from switchseg.cli.arguments import parse
from switchseg.data import DATASETS
from switchseg.errors import UserError
from switchseg.registry import named

if TYPE_CHECKING:
    from switchseg.data.config import DataConfig


@dataclass(frozen=True, kw_only=True)
class CheckDataFlags:
    """Read every image and label and report what would stop a training, label values, class shares, likely mistakes.

    The exit code is 2 if training would stop.
    """

    dataset: str = named(DATASETS)
    """How its files are laid out."""
    root: Path
    """The data set's folder."""
    list_file: Annotated[Path | None, tyro.conf.arg(name="list")] = None
    """A list of images and labels, for data sets that have one."""
    split: str | None = None
    """Look at this split alone; all of train, val and test that there are unless given."""
    html: Path | None = None
    """Write a page with class shares, examples and an overlay of each possible reading to this file."""
    augment: Path | None = None
    """Show in the page what the pipeline and the list `data.augment` of this config make of a few images."""
    propose: Path | None = None
    """Write a dataset.yaml that follows the advice to this file, and an overlay of each possible reading beside it."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes that read."""


def run(arguments: Sequence[str]) -> int:
    """Check, report, and return 2 if training would stop."""
    flags = parse(CheckDataFlags, "check-data", arguments)
    # Before the reading, which may take long: its last line must not be that the page cannot be written.
    files.check_places([flags.html, flags.propose])
    files.check_suffix(flags.html, ".html", ".htm")
    files.check_suffix(flags.propose, ".yaml", ".yml")
    pipeline = _pipeline(flags)
    from switchseg.data.augment.sheet import draw_sheet
    from switchseg.engine.survey import Place, survey
    from switchseg.reports.data_page import data_page
    from switchseg.reports.data_summary import print_summary
    from switchseg.reports.readings import draw_readings

    seen = survey(Place(flags.dataset, flags.root, flags.list_file, flags.split), flags.workers)
    dataset, found, advices = seen.first, seen.found, seen.advices()
    for pairing in seen.pairings:
        print(f"matched by name: {pairing}")
    print_summary(seen.parts, found, dataset.meaning, advices)
    # Drawn only for a file: each reads up to 40 samples once for every reading.
    pictures = draw_readings(dataset, seen.settings, advices) if flags.html or flags.propose else {}
    if flags.html:
        title = f"{dataset.name} {' '.join(seen.datasets)}"
        augmented = draw_sheet(pipeline, dataset) if pipeline else ()
        files.write_text(flags.html, data_page(title, dataset, found, advices, pictures, augmented))
        print(f"\nThe page is {flags.html}")
    if flags.propose:
        _propose(flags.propose, seen.proposal(), pictures)
    return 2 if found.problems or any(advice.stops for advice in advices) else 0


def _pipeline(flags: CheckDataFlags) -> DataConfig | None:
    """Return how a training makes its samples, by the config of `--augment`."""
    from switchseg.config import yaml
    from switchseg.config.schema import RunConfig

    if flags.augment is None:
        return None
    if flags.html is None:
        raise UserError("--augment shows pictures in the page; --html FILE was expected as well")
    return yaml.load(flags.augment, RunConfig, with_plugins=True).data


def _propose(path: Path, proposal: dict[str, Any], pictures: dict[tuple[int, int], Any]) -> None:
    from switchseg.data.proposal import written
    from switchseg.engine.pictures import save

    remarks = ["Proposed by `switchseg check-data`: look whether it is what the labels mean."]
    files.write_text(path, written(proposal, remarks))
    print(f"\nA dataset.yaml that follows the first reading of each is {path}")
    for (advice, reading), picture in pictures.items():
        target = path.with_name(f"{path.stem}-{advice + 1}-{reading + 1}.png")
        save(picture, target)
        print(f"  reading {reading + 1} of advice {advice + 1}: {target}")
