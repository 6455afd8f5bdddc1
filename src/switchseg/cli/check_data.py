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
from switchseg.errors import UserError

if TYPE_CHECKING:
    from switchseg.data.check import Findings
    from switchseg.data.dataset import StoredDataset


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
    split: str | None = None
    """Look at this split alone; all of train, val and test that there are unless given."""
    html: Path | None = None
    """Write a page with class shares, examples and an overlay of each possible reading to this file."""
    propose: Path | None = None
    """Write a dataset.yaml that follows the advice to this file, and an overlay of each possible reading beside it."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Processes that read."""


def run(arguments: Sequence[str]) -> int:
    """Check, report, and return 2 if training would stop."""
    flags = parse(CheckDataFlags, "check-data", arguments)
    files.check_places([flags.html, flags.propose])
    from switchseg.data.check import Findings
    from switchseg.data.likely_mistakes import advise, compare_splits
    from switchseg.reports.data_page import data_page
    from switchseg.reports.data_summary import print_summary
    from switchseg.reports.readings import draw_readings

    datasets, unopened = _open(flags)
    parts = {split: _look_through(dataset, flags, split) for split, dataset in datasets.items()}
    found = Findings(problems=unopened)
    for part in parts.values():
        found.add_split(part)
    dataset = next(iter(datasets.values()))
    settings = _settings(flags)
    advices = advise(found, dataset.meaning) + compare_splits(parts, dataset.meaning)
    print_summary(parts, found, dataset.meaning, advices)
    pictures = draw_readings(dataset, settings, advices) if flags.html or flags.propose else {}
    if flags.html:
        title = f"{dataset.name} {' '.join(datasets)}"
        files.write_text(flags.html, data_page(title, dataset, found, advices, pictures))
        print(f"\nThe page is {flags.html}")
    if flags.propose:
        _propose(flags.propose, found, dataset, settings, pictures)
    return 2 if found.problems or any(advice.stops for advice in advices) else 0


def _open(flags: CheckDataFlags) -> tuple[dict[str, StoredDataset], list[str]]:
    """Return the splits that there are, and why others cannot be opened."""
    from switchseg.data.dataset import MissingSplitError

    if flags.split or flags.list_file:
        split = flags.split or "train"
        return {split: _open_split(flags, split)}, []
    opened: dict[str, StoredDataset] = {}
    failures: list[UserError] = []
    for split in ("train", "val", "test"):
        try:
            dataset = _open_split(flags, split)
        except UserError as error:
            failures.append(error)
        else:
            # A folder without splits is the same for all.
            if all(dataset.record(0) != other.record(0) for other in opened.values()):
                opened[split] = dataset
    grave = [error for error in failures if not isinstance(error, MissingSplitError)]
    if not opened:
        raise (grave or failures)[0]
    return opened, [str(error) for error in grave]


def _open_split(flags: CheckDataFlags, split: str) -> StoredDataset:
    from switchseg.data.classes import IGNORED, Classes
    from switchseg.data.dataset import StoredDataset, canonical_split, existing_folder
    from switchseg.data.datasets import open_dataset
    from switchseg.data.labels import LabelMap, Meaning
    from switchseg.data.readers.folder import open_undescribed

    if flags.dataset == "folder" and not _settings(flags).get("classes"):
        # Whoever has no class list yet finds out here which values there are.
        classes = Classes.unnamed(IGNORED)
        meaning = Meaning(classes, LabelMap.identity(classes))
        return open_undescribed(existing_folder(flags.root), canonical_split(split), flags.list_file, meaning)
    dataset = open_dataset(flags.dataset, flags.root, split, flags.list_file, incomplete=True)
    assert isinstance(dataset, StoredDataset)
    return dataset


def _settings(flags: CheckDataFlags) -> dict[str, Any]:
    """Return what is said in dataset.yaml, or in a class file where the data set heeds one."""
    from switchseg.data.dataset import existing_folder
    from switchseg.data.description import SETTINGS, describe

    heeds_class_files = flags.dataset in ("folder", "odgt", "scenes", "webdataset", "huggingface")
    if flags.dataset == "huggingface" and not os.path.isdir(os.path.expanduser(flags.root)):
        return {}
    root = existing_folder(flags.root)
    folders = [flags.list_file.parent, root] if flags.dataset == "odgt" and flags.list_file else [root]
    if not heeds_class_files and not (root / SETTINGS).is_file():
        return {}
    description = describe(*folders)
    return description.settings() if description else {}


def _look_through(dataset: StoredDataset, flags: CheckDataFlags, split: str) -> Findings:
    from switchseg.data.check import Findings, inspect
    from switchseg.engine.progress import progress

    found = Findings()
    what = "check-data" if flags.split or flags.list_file else f"check-data {split}"
    with progress(what, len(dataset)) as count:
        for part in inspect(dataset, max(1, flags.workers)):
            found.add(part)
            count(part.images)
    if not flags.split and split == "test" and found.unlabelled == found.images:
        found.problems = []  # the test images of a competition
    return found


def _propose(
    path: Path, found: Findings, dataset: StoredDataset, settings: dict[str, Any], pictures: dict[tuple[int, int], Any]
) -> None:
    from switchseg import files
    from switchseg.data.proposal import propose, written
    from switchseg.engine.pictures import save

    proposal = propose(found, dataset.meaning, settings)
    remarks = ["Proposed by `switchseg check-data`: look whether it is what the labels mean."]
    files.write_text(path, written(proposal, remarks))
    print(f"\nA dataset.yaml that follows the first reading of each is {path}")
    for (advice, reading), picture in pictures.items():
        target = path.with_name(f"{path.stem}-{advice + 1}-{reading + 1}.png")
        save(picture, target)
        print(f"  reading {reading + 1} of advice {advice + 1}: {target}")
