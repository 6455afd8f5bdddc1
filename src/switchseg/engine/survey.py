"""What lies in a folder of images and labels: the splits that there are, and what was found in all their files."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from switchseg.classes import Classes
from switchseg.data.advice import Advice
from switchseg.data.check import inspect
from switchseg.data.dataset import MissingSplitError, StoredDataset, existing_folder
from switchseg.data.datasets import open_dataset
from switchseg.data.described import SETTINGS, describe
from switchseg.data.findings import Findings
from switchseg.data.labels import LabelMap, Meaning
from switchseg.data.likely_mistakes import advise, compare_splits
from switchseg.data.proposal import propose
from switchseg.data.readers.folder import open_undescribed
from switchseg.data.splits import canonical_split
from switchseg.engine.progress import progress
from switchseg.errors import UserError
from switchseg.labels import IGNORED

_HEED_CLASS_FILES = ("folder", "odgt", "scenes", "webdataset", "huggingface")


@dataclass(frozen=True)
class Place:
    """Where a data set lies."""

    dataset: str
    """A name of `DATASETS`."""
    root: Path
    list_file: Path | None = None
    split: str | None = None
    """The only split to look at; None looks at all that there are."""


@dataclass(frozen=True)
class Survey:
    """The splits of a data set and what was found in them."""

    datasets: dict[str, StoredDataset]
    parts: dict[str, Findings]
    """What was found in each split."""
    found: Findings
    """What was found in all of them."""
    unopened: list[str]
    """Why further splits cannot be opened."""
    settings: dict[str, Any]
    """What dataset.yaml says, or a class file where the data set heeds one."""

    @property
    def first(self) -> StoredDataset:
        """The first split that there is."""
        return next(iter(self.datasets.values()))

    @property
    def meaning(self) -> Meaning:
        """What the labels are taken for."""
        return self.first.meaning

    @property
    def pairings(self) -> list[str]:
        """What the files of images and of labels end in, where that is how they were matched, a line for each rule."""
        return sorted({dataset.pairing for dataset in self.datasets.values() if dataset.pairing})

    def advices(self) -> list[Advice]:
        """Return the likely mistakes, the gravest first."""
        return advise(self.found, self.meaning) + compare_splits(self.parts, self.meaning)

    def proposal(self) -> dict[str, Any]:
        """Return the settings of dataset.yaml that the likeliest readings lead to."""
        return propose(self.found, self.meaning, self.settings)

    def read_as(self, meaning: Meaning, settings: dict[str, Any], workers: int) -> Survey:
        """Return the survey of the same files, whose labels now mean something else.

        Args:
            meaning: What they mean.
            settings: The keys of dataset.yaml that say so.
            workers: Processes that read; nothing is read anew where nothing was amiss.
        """
        for dataset in self.datasets.values():
            dataset.meaning = meaning
        if not self.found.problems:
            return replace(self, settings=settings)
        parts = {split: _look_through(dataset, workers, split) for split, dataset in self.datasets.items()}
        return replace(self, parts=parts, found=_together(parts, self.unopened), settings=settings)


def survey(place: Place, workers: int, what: str = "check-data") -> Survey:
    """Read every image and label of a data set, `workers` processes at once; progress is told under the name `what`.

    Raises:
        UserError: no split can be opened.
    """
    datasets, unopened = _open(place)
    alone = place.split is not None or place.list_file is not None
    parts = {
        split: _look_through(dataset, workers, split, what if alone else f"{what} {split}", wanted=alone)
        for split, dataset in datasets.items()
    }
    return Survey(datasets, parts, _together(parts, unopened), unopened, _settings(place))


def _together(parts: dict[str, Findings], problems: list[str]) -> Findings:
    found = Findings(problems=list(problems))
    for part in parts.values():
        found.add_split(part)
    return found


def _open(place: Place) -> tuple[dict[str, StoredDataset], list[str]]:
    """Return the splits that there are, and why others cannot be opened."""
    if place.split or place.list_file:
        split = place.split or "train"
        return {split: _open_split(place, split)}, []
    opened: dict[str, StoredDataset] = {}
    failures: list[UserError] = []
    for split in ("train", "val", "test"):
        try:
            dataset = _open_split(place, split)
        except UserError as error:
            failures.append(error)
        else:
            # A folder without splits is the same for all.
            if all(dataset.record(0) != other.record(0) for other in opened.values()):
                opened[split] = dataset
    # A split that is missing is normal; one that is there and cannot be opened is a fault.
    grave = [error for error in failures if not isinstance(error, MissingSplitError)]
    if not opened:
        raise (grave or failures)[0]
    return opened, [str(error) for error in grave]


def _open_split(place: Place, split: str) -> StoredDataset:
    if place.dataset == "folder" and not _settings(place).get("classes"):
        # Whoever has no class list yet finds out here which values there are.
        classes = Classes.unnamed(IGNORED)
        meaning = Meaning(classes, LabelMap.identity(classes))
        return open_undescribed(existing_folder(place.root), canonical_split(split), place.list_file, meaning)
    dataset = open_dataset(place.dataset, place.root, split, place.list_file, incomplete=True)
    if not isinstance(dataset, StoredDataset):
        raise UserError(f"--dataset: {place.dataset} is not stored in files, which check-data looks at")
    return dataset


def _settings(place: Place) -> dict[str, Any]:
    if place.dataset == "huggingface" and not os.path.isdir(os.path.expanduser(place.root)):
        return {}
    root = existing_folder(place.root)
    folders = [place.list_file.parent, root] if place.dataset == "odgt" and place.list_file else [root]
    if place.dataset not in _HEED_CLASS_FILES and not (root / SETTINGS).is_file():
        return {}
    described = describe(*folders)
    return described.description.settings() if described else {}


def _look_through(
    dataset: StoredDataset, workers: int, split: str, what: str = "", *, wanted: bool = False
) -> Findings:
    """Return what is in one split; test images without labels are no problem unless the split was asked for."""
    found = Findings()
    with progress(what, len(dataset), shown=bool(what)) as count:
        for part in inspect(dataset, max(1, workers)):
            found.add(part)
            count(part.images)
    if not wanted and split == "test" and found.unlabelled == found.images:
        found.problems = []  # as a competition hands them out
    return found
