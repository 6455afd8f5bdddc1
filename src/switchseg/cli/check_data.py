"""`switchseg check-data --dataset D --root DIR`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from switchseg import files
from switchseg.cli.arguments import parse

if TYPE_CHECKING:
    from switchseg.data.advice import Advice
    from switchseg.data.check import Findings
    from switchseg.data.dataset import StoredDataset

_MOST_PROBLEMS = 20


@dataclass(frozen=True, kw_only=True)
class CheckDataFlags:
    """Read every image and label and report what would stop a training, label values, class shares, likely mistakes.

    The exit code is 2 if training would stop.
    """

    dataset: str
    """ade20k, camvid, cityscapes, coco_stuff, folder, huggingface, odgt, scenes, voc or webdataset."""
    root: Path
    """The data set's folder."""
    list_file: Annotated[Path | None, tyro.conf.arg(name="list")] = None
    """A list of images and labels, for data sets that have one."""
    split: str = "train"
    html: Path | None = None
    """Write a page with class shares and examples to this file."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes that read."""


def run(arguments: Sequence[str]) -> int:
    """Check, report, and return 2 if training would stop."""
    flags = parse(CheckDataFlags, "check-data", arguments)
    files.check_places([flags.html])
    from switchseg.data.advice import advise
    from switchseg.data.check import Findings, inspect
    from switchseg.engine.progress import progress
    from switchseg.reports.data_page import data_page

    dataset = _open(flags)
    found = Findings()
    with progress("check-data", len(dataset)) as count:
        for part in inspect(dataset, max(1, flags.workers)):
            found.add(part)
            count(part.images)
    advices = advise(found, dataset)
    _print(found, dataset, advices)
    if flags.html:
        files.write_text(flags.html, data_page(f"{dataset.name} {flags.split}", dataset, found, advices))
        print(f"\nThe page is {flags.html}")
    return 2 if found.problems else 0


def _open(flags: CheckDataFlags) -> StoredDataset:
    from switchseg.data.classes import IGNORED, Classes
    from switchseg.data.dataset import StoredDataset, canonical_split, existing_folder
    from switchseg.data.datasets import open_dataset
    from switchseg.data.description import describe
    from switchseg.data.labels import LabelMap
    from switchseg.data.readers.folder import open_undescribed

    if flags.dataset == "folder" and describe(existing_folder(flags.root)) is None:
        # Whoever has no class list yet finds out here which values there are.
        classes = Classes.unnamed(IGNORED)
        split = canonical_split(flags.split)
        return open_undescribed(flags.root, split, flags.list_file, classes, LabelMap.identity(classes))
    dataset = open_dataset(flags.dataset, flags.root, flags.split, flags.list_file)
    assert isinstance(dataset, StoredDataset)
    return dataset


def _print(found: Findings, dataset: StoredDataset, advices: list[Advice]) -> None:
    pixels, images = found.class_pixels(dataset), found.class_images(dataset)
    width = max(map(len, dataset.classes.names))
    print(f"{'class':>5}  {'name':<{width}}  {'pixels':>8}  {'images':>8}")
    for index, name in enumerate(dataset.classes.names):
        if pixels[index]:
            print(f"{index:>5}  {name:<{width}}  {pixels[index] / pixels.sum():>8.2%}  {images[index]:>8}")
    if found.problems:
        print(f"\n{len(found.problems)} of {found.images} samples cannot be trained on:")
        for problem in found.problems[:_MOST_PROBLEMS]:
            print(f"  {problem}")
        if len(found.problems) > _MOST_PROBLEMS:
            print(f"  ... and {len(found.problems) - _MOST_PROBLEMS} more; --html lists them")
    for advice in advices:
        setting = advice.setting.replace("\n", "\n      ")
        print(f"\n{advice.seen}\n  ->  {setting}")
    if not found.problems:
        print(f"\n{found.images} images and labels: all can be trained on.")
