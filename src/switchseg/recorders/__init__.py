"""Where the events of a training go: `RECORDERS` by name, each a `Recorder`. Importing it loads none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

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

__all__ = ["ALWAYS", "RECORDERS", "Event", "Outcome", "Recorder", "Start"]
