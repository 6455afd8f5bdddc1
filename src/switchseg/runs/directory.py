"""A run directory: where its files are, who may write to it, and whether a config may go on with it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from switchseg import system
from switchseg.config import yaml
from switchseg.config.schema import RunConfig
from switchseg.errors import UserError
from switchseg.runs import journal

# Settings that may differ when a run goes on: where it runs, what it reports, and how long it shall be.
# (How the images of a step are spread over devices may differ too; their number is checked with the checkpoint.)
_FREE = (
    "plugins",
    *("data.root", "data.val_split", "data.val_list", "data.workers", "evaluate."),
    *("train.device", "train.threads", "train.timeout", "train.capture", "train.recorders"),
    *("train.steps", "train.epochs", "train.images_per_device", "train.accumulate"),
    *("train.keep_checkpoints", "train.patience"),
)
_FREE_SUFFIXES = ("_every",)

_LOCK = ".lock"


@dataclass(frozen=True)
class RunDirectory:
    """The paths of a run."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def class_weights(self) -> Path:
        """The weights that the loss gave to the classes, where they were made from the data."""
        return self.path / "class_weights.json"

    @property
    def journal(self) -> Path:
        """The one record of the run."""
        return self.path / journal.FILE

    @property
    def tensorboard(self) -> Path:
        """The folder of TensorBoard's event files."""
        return self.path / "tensorboard"

    @property
    def checkpoints(self) -> Path:
        """The folder of training states."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """The model directory that the run makes."""
        return self.path / "model"

    @property
    def metrics(self) -> Path:
        """The scores at the end of the run."""
        return self.path / "metrics.json"

    @property
    def pictures(self) -> Path:
        """A few images with truth and prediction."""
        return self.path / "pictures"

    def remove_pictures(self) -> None:
        """Remove what an earlier, shorter training of this run has left in the pictures."""
        for kind in ("image.jpg", "truth.png", "labels.png", "confidence.png"):
            # By their endings, not the whole folder: whatever else the user keeps there stays.
            for path in self.pictures.rglob(f"*_{kind}"):
                path.unlink()

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the directory for this process; the kernel lets go of it however the process ends.

        If nothing has been written into it by the end, it is left as it was found: what it takes to hold it goes again.

        Raises:
            UserError: another process holds it, or the directory cannot be made.
        """
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        path = self.path / _LOCK
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = path.open("w")
        except OSError as error:
            raise UserError(f"{self.path}: cannot be used as a run directory ({error.strerror})") from None
        with lock:
            try:
                system.hold(lock)
                # Its holder may have removed it since it was opened: the next process would lock another file.
                if not path.exists() or not os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                    raise BlockingIOError
            except (BlockingIOError, PermissionError):
                raise UserError(f"{self.path}: another process trains in it; wait, or pass another --out") from None
            try:
                yield
            finally:
                self._leave_as_found(made)

    def _leave_as_found(self, made: Sequence[Path]) -> None:
        """Remove the lock's file and the folders `made`, innermost first, if there is nothing else in them."""
        with contextlib.suppress(OSError):  # Windows removes no open file; others may use the folders by now
            if os.listdir(self.path) == [_LOCK]:
                (self.path / _LOCK).unlink()
                for folder in made:
                    folder.rmdir()

    def is_complete(self, steps: int | None) -> bool:
        """Whether a training of `steps` steps has come to its end here, scores included."""
        if not (self.journal.exists() and self.metrics.exists()):
            return False
        events = journal.read(self.journal)
        # The last event, for a training that was made longer has an "end" further up. Scores come before the end.
        return bool(events) and events[-1]["event"] == "end" and events[-1].get("steps") == steps

    def check_same_run(self, config: RunConfig) -> None:
        """Refuse to go on with this run under settings that would make it another one.

        Raises:
            UserError: such a setting differs from the run's config.yaml.
        """
        if not self.config.exists():
            return
        # Both through the dataclasses, so that defaults that a hand-written config leaves out compare as equal.
        before, now = _flat(yaml.to_mapping(yaml.load(self.config, RunConfig))), _flat(yaml.to_mapping(config))
        for key, value in now.items():
            if before[key] != value and not key.startswith(_FREE) and not key.endswith(_FREE_SUFFIXES):
                raise UserError(
                    f"{self.config}: this run has {key} = {before[key]}, not {value}; "
                    "keep it to go on, or pass another --out for a new run"
                )


def _flat(mapping: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in mapping.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
