"""Where the events of a training go: `RECORDERS` by name, each a `Recorder`. Importing it loads none of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from switchseg.errors import UserError
from switchseg.recorders.recorder import Event, Outcome, Recorder, Start
from switchseg.registry import Registry

Open: TypeAlias = Callable[[Start], Recorder]

RECORDERS: Registry[Open] = Registry(
    "recorder",
    {
        "journal": "switchseg.runs.journal:open_journal",
        "terminal": "switchseg.recorders.terminal:Terminal",
        "tensorboard": "switchseg.recorders.tensorboard:TensorBoard",
        "wandb": "switchseg.recorders.wandb:WandB",
        "mlflow": "switchseg.recorders.mlflow:MLflow",
    },
)
"""Name -> what makes a recorder of a training that begins or goes on."""

ALWAYS = ("journal", "terminal")
"""The recorders of every training. What fails in them ends it; what fails in another one is a warning."""


def require_installed(names: Iterable[str]) -> None:
    """Raise a UserError if a package is missing that one of these recorders needs; takes as long as to import it."""
    for name in names:
        try:
            RECORDERS[name]
        except UserError:
            raise
        except Exception:  # whatever a package that is broken may come up with
            continue  # a warning when the recorder is made, as for any that fails


__all__ = ["ALWAYS", "RECORDERS", "Event", "Outcome", "Recorder", "Start", "require_installed"]
