"""Run directories as plain data: what a training left on disk, whether it ended, was stopped or still goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from switchseg.classes import Classes
from switchseg.errors import UserError
from switchseg.reports.evaluations import Evaluation, read_evaluations
from switchseg.reports.run_files import (
    Record,
    read_classes,
    read_config,
    read_confusion,
    read_image_scores,
    read_log,
    read_suspects,
)
from switchseg.reports.theme import STATISTICS
from switchseg.runs.journal import events_of


@dataclass(frozen=True)
class Picture:
    """The files of one image in `pictures/`: the image, its truth, the labels and the confidence of the model."""

    name: str
    image: Path
    truth: Path
    labels: Path
    confidence: Path


@dataclass(frozen=True)
class Run:
    """One run directory. Everything but `path`, `label` and the log may be missing while a run goes on."""

    path: Path
    label: str
    """What tables and legends call the run: its norm, followed by its folder where that is not enough."""
    config: Record = field(default_factory=dict)
    events: dict[str, list[Record]] = field(default_factory=dict)
    """Event name -> its records, in the order of the log."""
    seconds: float = 0.0
    """Time at work over all sessions of the run."""
    unreadable_lines: int = 0
    single: Evaluation | None = None
    multi: Evaluation | None = None
    classes: Classes | None = None
    confusion: np.ndarray[Any, Any] | None = None
    """Pixels of the single-scale evaluation, [C, C]; rows are the truth."""
    pictures: tuple[Picture, ...] = ()
    image_scores: dict[str, float] = field(default_factory=dict)
    """Name of every evaluated image -> its mean IoU at a single scale."""

    suspects: Record = field(default_factory=dict)
    """What `switchseg suspects` found, as suspects.json has it."""

    @property
    def norm(self) -> str:
        """The norm's name as the config has it, or "" where no config was written."""
        return str(self.setting("model.norm", ""))

    @property
    def finished(self) -> bool:
        """Whether the last session came to its end."""
        return bool(self.events.get("end"))

    @property
    def last_step(self) -> int:
        """The last step that the log speaks of."""
        return max((records[-1]["step"] for records in self.events.values() if records), default=0)

    def setting(self, key: str, default: Any = None) -> Any:
        """Return the config's value of a dotted `key`."""
        value: Any = self.config
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                return default
            value = value[part]
        return value


def read_runs(paths: Sequence[str | Path]) -> list[Run]:
    """Read run directories, or folders of run directories, and give each run a label of its own.

    Raises:
        UserError: there is no path, one is no run directory, or one of its files is damaged.
    """
    if not paths:
        raise UserError("no run given; name one or more run directories (the --out folders of trainings)")
    runs = [read_run(folder) for path in paths for folder in _run_folders(Path(path))]
    labels = Counter(run.label for run in runs)
    folders = Counter((run.label, run.path.name) for run in runs)

    def unique(run: Run) -> str:
        if labels[run.label] == 1:
            return run.label
        return f"{run.label} ({run.path.name if folders[run.label, run.path.name] == 1 else run.path})"

    return [replace(run, label=unique(run)) for run in runs]


def read_run(path: str | Path) -> Run:
    """Read one run directory.

    Raises:
        UserError: `path` is no run directory, or one of its files is damaged.
    """
    path = Path(path)
    if not (path / "log.jsonl").is_file():
        found = "no run directory (it has no log.jsonl)" if path.is_dir() else "no such folder"
        raise UserError(f"{path}: {found}; give the --out folder of a training")
    events, seconds, unreadable = read_log(path / "log.jsonl")
    config = read_config(path / "config.yaml")
    run = Run(
        path=path,
        label=path.name,
        config=config,
        events=events,
        seconds=seconds,
        unreadable_lines=unreadable,
        classes=read_classes(path / "model" / "config.json"),
        suspects=read_suspects(path / "suspects" / "suspects.json"),
    )
    run = replace(run, label=norm_title(run.norm)) if run.norm else run
    scored = events.get("scores")
    # Of a run that was prolonged, scores and pictures are those of its shorter training until it ends again.
    if scored and scored[-1]["step"] < run.last_step:
        return run
    evaluations = read_evaluations(path / "metrics.json")
    return replace(
        run,
        single=evaluations.get("single"),
        multi=evaluations.get("multi"),
        confusion=read_confusion(path / "confusion_single.csv"),
        pictures=tuple(_find_pictures(path / "pictures")),
        image_scores=read_image_scores(path / "images_single.csv"),
    )


def norm_title(norm: str) -> str:
    """Return a norm's name as papers write it; names are made of `sync`, the norm, and the statistics that it mixes."""
    base, *rest = norm.split("_")
    title = f"Sync{base[4:].upper()}" if base.startswith("sync") else base.upper()
    # What follows the underscores of such a name need not be statistics.
    if not set(rest) <= set(STATISTICS):  # a name that a user registered
        return norm.upper()
    return f"{title} ({'+'.join(rest).upper()})" if rest else title


def _run_folders(path: Path) -> list[Path]:
    # `compare` leaves one run per norm in its folder; that folder stands for all of them.
    if (path / "log.jsonl").is_file():
        return [path]
    return sorted((log.parent for log in path.glob("*/log.jsonl")), key=_first_start) or [path]


def _first_start(folder: Path) -> tuple[float, str]:
    with (folder / "log.jsonl").open("rb") as file:
        records = list(events_of([file.readline()]))
    return (records[0]["time"] if records else float("inf")), folder.name


def _find_pictures(folder: Path) -> Iterator[Picture]:
    for image in sorted(folder.glob("*_image.jpg")):
        name = image.name.removesuffix("_image.jpg")
        parts = [folder / f"{name}_{part}.png" for part in ("truth", "labels", "confidence")]
        if all(part.is_file() for part in parts):
            yield Picture(name, image, *parts)
