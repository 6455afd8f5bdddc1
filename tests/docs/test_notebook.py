"""The notebook, executed as Jupyter does, and as it is kept."""

import json
import os
from pathlib import Path

import pytest

from tests.docs.pages import REPOSITORY

NOTEBOOK = REPOSITORY / "docs" / "first-model.ipynb"


def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def pictures(notebook):
    outputs = [output for cell in code(notebook) for output in cell["outputs"]]
    return [output for output in outputs if "image/png" in output.get("data", {})]


def test_it_is_kept_as_it_ran():
    notebook = json.loads(NOTEBOOK.read_text())
    assert [cell["execution_count"] for cell in code(notebook)] == [*range(1, len(code(notebook)) + 1)]
    assert not any(output["output_type"] == "error" for cell in code(notebook) for output in cell["outputs"])
    assert len(pictures(notebook)) == 2
    assert NOTEBOOK.stat().st_size < 300_000


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_trains_and_shows_predictions_and_shares(tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="needs the extra dev")
    pytest.importorskip("ipykernel", reason="needs the extra dev")
    import nbformat

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(REPOSITORY / "src"), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where the notebook makes its folder
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=1500, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert len(pictures(notebook)) == 2
    (run,) = Path(tmp_path).glob("*/run")
    assert (run / "metrics.json").is_file()
