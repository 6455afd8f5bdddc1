"""What all tests share: where the golden numbers and the optional real data are."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of reference numbers that the 2018 code and the MIT framework computed."""
    return REPOSITORY / "tests" / "golden"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real CamVid and ADE20K samples; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("SWITCHSEG_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real sample images in {folder} (or SWITCHSEG_DATA)")
    return folder
