"""Three finished runs, made once per session; tests that damage one copy it first."""

import shutil
from pathlib import Path

import pytest

from switchseg.reports.runs import Run, read_runs
from tests.browser import browser as browser
from tests.reports.make_runs import make_run


@pytest.fixture(scope="session")
def run_folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The run directories of SyncBN, GN and SN, in this order."""
    root = tmp_path_factory.mktemp("runs")
    return [make_run(root / norm, norm) for norm in ("syncbn", "gn", "sn")]


@pytest.fixture
def copy(run_folders: list[Path], tmp_path: Path) -> Path:
    """A run directory that a test may damage."""
    return Path(shutil.copytree(run_folders[2], tmp_path / "sn"))


@pytest.fixture
def template(run_folders) -> Run:
    """A run that others are made like."""
    return read_runs(run_folders)[0]
