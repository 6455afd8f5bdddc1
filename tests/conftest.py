"""What all tests share: where the golden numbers and the optional real data are."""

import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from switchseg import plugins

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Begin every test with the same random numbers, whatever has run before it in the same process."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:  # not imported for tests that do without
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True)
def _own_plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test's plugins be those of the next one, whose workers would look for their files."""
    monkeypatch.setattr(plugins, "_imported", [])


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


@pytest.fixture(scope="session")
def tiny_camvid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in CamVid's layout: a few small images whose classes can be told from their colours."""
    root = tmp_path_factory.mktemp("camvid")
    generator = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 3), ("test", 2)):
        for folder in (split, f"{split}annot"):
            (root / folder).mkdir()
        for index in range(count):
            height, width = (48, 64) if index % 3 else (64, 48)
            label = np.zeros((height, width), np.uint8)
            for value in range(1, 12):
                top, left = generator.integers(0, height - 12), generator.integers(0, width - 12)
                label[top : top + 24, left : left + 24] = value
            image = (label[..., None] * np.array([20, 7, 13]) + generator.integers(0, 20, (height, width, 3))) % 256
            Image.fromarray(image.astype(np.uint8)).save(root / split / f"{split}_{index}.png")
            Image.fromarray(label).save(root / f"{split}annot" / f"{split}_{index}.png")
    return root
