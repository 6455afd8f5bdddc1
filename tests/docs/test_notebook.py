"""The notebook, executed as Jupyter does, and as it is kept."""

import json
import os

import pytest

from tests.docs.pages import REPOSITORY

NOTEBOOK = REPOSITORY / "docs" / "first-model.ipynb"


def outputs(notebook):
    return [output for cell in notebook["cells"] for output in cell.get("outputs", [])]


def pictures(notebook):
    return [output for output in outputs(notebook) if "image/png" in output.get("data", {})]


def test_it_is_kept_as_it_ran():
    notebook = json.loads(NOTEBOOK.read_text())
    counts = [cell["execution_count"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert counts == [*range(1, len(counts) + 1)]
    assert not any(output["output_type"] == "error" or output.get("name") == "stderr" for output in outputs(notebook))
    assert len(pictures(notebook)) == 2
    assert NOTEBOOK.stat().st_size < 300_000


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_trains_and_shows_predictions_and_shares(tmp_path, monkeypatch):
    pytest.importorskip("nbclient", reason="needs the extra dev")
    pytest.importorskip("ipykernel", reason="needs the extra dev")
    from docs.made.notebook import executed

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")]))
    assert len(pictures(executed(tmp_path))) == 2
    scores = json.loads((tmp_path / "first-model" / "run" / "metrics.json").read_text())
    assert scores["single"]["images"] == 24
