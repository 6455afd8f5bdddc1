"""MLflow's file store, read back with MLflow."""

import numpy as np
import pytest
from PIL import Image

from tests.recorders.told import PICTURE, crash_and_go_on

mlflow = pytest.importorskip("mlflow", reason="needs the package mlflow or mlflow-skinny")


@pytest.fixture
def client(tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    return mlflow.MlflowClient((tmp_path / "mlruns").as_uri())


def test_the_file_store_beside_the_run_holds_one_run_without_repeated_steps(tmp_path, client):
    crash_and_go_on("mlflow", tmp_path / "run")
    experiment = client.get_experiment_by_name("switchseg")
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("run", "FINISHED")
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert [value.step for value in history] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert run.data.metrics["train/lr/decoder"] == 0.01
    assert run.data.metrics["shares/encoder.bn1/mean/in"] == 0.25
    assert run.data.params["model.encoder"] == "resnet50_dilated8"
    files = tmp_path / "mlruns" / experiment.experiment_id / run.info.run_id / "artifacts"
    assert (files / "config.yaml").read_text() == (tmp_path / "run" / "config.yaml").read_text()
    assert np.array_equal(np.asarray(Image.open(files / "pictures" / "street.png")), PICTURE)
    assert "cpu (test)" in (files / "environment.json").read_text()
