"""The notebook as it ran: `python -m docs.made.notebook` executes it and keeps what it shows. Needs the extra `dev`."""

import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "first-model.ipynb"


def executed(folder: Path) -> nbformat.NotebookNode:
    """Return the notebook with what its cells show when they are run in `folder`.

    Raises:
        CellExecutionError: a cell fails.
    """
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=1500, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in notebook.cells:
        cell.metadata.clear()  # when each was run
        for output in cell.get("outputs", []):
            output.get("data", {}).pop("text/html", None)  # Rich's; its plain text says the same
    return notebook


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        nbformat.write(executed(Path(place)), NOTEBOOK)
