"""MLflow: `train.recorders: [mlflow]`, in the store that MLFLOW_TRACKING_URI names."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from switchseg.errors import UserError
from switchseg.recorders.recorder import Event, Outcome, Recorder, Start

try:
    import mlflow
except ModuleNotFoundError:
    raise UserError("train.recorders: mlflow is not installed; pip install 'switchseg[mlflow]'") from None

_STATES: dict[Outcome, str] = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
_MOST_METRICS = 1000
"""That MLflow takes at once."""


class MLflow(Recorder):
    """Scalars, shares, pictures, config and environment, as one run of MLflow however often the training goes on.

    Without MLFLOW_TRACKING_URI the store is the folder `mlruns` beside the run directory, which its neighbours share.
    """

    def __init__(self, start: Start) -> None:
        # Beside the run directory, where runs of one experiment lie together and can be compared.
        store = (start.folder.resolve().parent / "mlruns").as_uri()
        uri = os.environ.get("MLFLOW_TRACKING_URI", store)
        if uri.startswith(("file:", "/", ".")):
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # it would rather have a database
        self._client = mlflow.MlflowClient(uri)
        # The id is kept in the run directory: MLflow would begin another run after each interruption.
        self._run = start.kept_name("mlflow.txt", lambda: self._created(start))
        self._client.update_run(self._run, status="RUNNING")
        self._client.log_text(self._run, (start.folder / "config.yaml").read_text(encoding="utf-8"), "config.yaml")
        self._client.log_dict(self._run, dict(start.environment), "environment.json")
        self._last: dict[str, int] = {}

    def record(self, event: Event) -> None:  # noqa: D102
        # Milliseconds, as MLflow counts.
        now = int(1000 * time.time())
        # MLflow keeps every value that it is sent: those of steps that come again would stand there twice.
        fresh = {name: number for name, number in event.scalars.items() if event.step > self._last_step(name)}
        self._last |= dict.fromkeys(fresh, event.step)
        metrics = [mlflow.entities.Metric(name, number, now, event.step) for name, number in fresh.items()]
        for first in range(0, len(metrics), _MOST_METRICS):
            self._client.log_batch(self._run, metrics[first : first + _MOST_METRICS])

    def picture(self, name: str, pixels: npt.NDArray[np.uint8], step: int) -> None:  # noqa: D102
        self._client.log_image(self._run, Image.fromarray(pixels), f"pictures/{name}.png")

    def close(self, outcome: Outcome) -> None:  # noqa: D102
        self._client.set_terminated(self._run, _STATES[outcome])

    def _created(self, start: Start) -> str:
        """Make a run with the config as its parameters, and return its id."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "switchseg")
        experiment = self._client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else self._client.create_experiment(name)
        run: str = self._client.create_run(number, run_name=start.folder.resolve().name).info.run_id
        for key, value in _settings(start.config):
            self._client.log_param(run, key, value)
        return run

    def _last_step(self, metric: str) -> int:
        """Return the last step that the run has a value of `metric` for: those up to it come again after a crash."""
        if metric not in self._last:
            # One request for each metric and session, when it first occurs; after that the number is known here.
            history = self._client.get_metric_history(self._run, metric)
            self._last[metric] = max((value.step for value in history), default=-1)
        return self._last[metric]


def _settings(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _settings(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
