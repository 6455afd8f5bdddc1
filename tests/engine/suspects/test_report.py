import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from switchseg.classes import Classes
from switchseg.data.sample import Sample
from switchseg.engine.suspects.regions import Region
from switchseg.engine.suspects.report import picture, write_suspects
from switchseg.engine.suspects.search import Part, Suspect

CLASSES = Classes.named(("road", "sky", "car"))


class Grey:
    """Two grey images of 60 x 80 pixels."""

    name, classes, decoder = "grey", CLASSES, "pillow"

    def __len__(self) -> int:
        return 2

    def sizes(self, skip: bool = False) -> np.ndarray:
        return np.array([(60, 80)] * 2, np.int32)

    def read(self, index: int) -> Sample:
        return Sample(np.full((60, 80, 3), 128, np.uint8), np.zeros((60, 80), np.uint8), f"image{index}")


@pytest.fixture
def suspects() -> list[Suspect]:
    part = Part("train", Grey(), lambda sample: iter(()))
    regions = [Region(0, 1 + rank % 2, 9.0 / (rank + 1), 0.9, 40, (10, 20, 18, 25)) for rank in range(5)]
    return [Suspect(part, index, f"image{index}", each) for index, each in zip((1, 0, 0, 0, 0), regions, strict=True)]


def test_what_is_written_names_every_region(suspects: list[Suspect], tmp_path: Path) -> None:
    (tmp_path / "009.jpg").write_bytes(b"of an earlier search")
    write_suspects(tmp_path, suspects, np.array([0.9, np.nan, 0.5]), 2, CLASSES, pictures=4)
    content = json.loads((tmp_path / "suspects.json").read_text())
    rows = list(csv.DictReader((tmp_path / "suspects.csv").read_text().splitlines()))
    assert len(content["regions"]) == len(rows) == len(suspects)
    assert [entry["picture"] for entry in content["regions"]] == ["001.jpg", "002.jpg", "003.jpg", "004.jpg", None]
    assert sorted(path.name for path in tmp_path.glob("*.jpg")) == ["001.jpg", "002.jpg", "003.jpg", "004.jpg"]
    assert content["typical_confidence"] == {"road": 0.9, "sky": None, "car": 0.5}
    first = {"rank": "1", "image": "image1", "given": "road", "likelier": "sky", "top": "10", "right": "25"}
    assert first.items() <= rows[0].items()
    # By all regions of an image, not by its most suspect one.
    assert [(each["image"], each["regions"]) for each in content["images"]] == [("image0", 4), ("image1", 1)]
    assert content["images"][0]["score"] == pytest.approx(9 / 2 + 9 / 3 + 9 / 4 + 9 / 5)


def test_a_picture_shows_the_region_in_its_outline(suspects: list[Suspect]) -> None:
    shown = picture(suspects[0].part.dataset.read(0), suspects[0].region)
    pixels = np.asarray(shown).astype(int)
    assert isinstance(shown, Image.Image)
    assert max(shown.size) == 360
    red = np.argwhere(pixels[..., 0] - pixels[..., 2] > 100)
    assert 0 < len(red) < pixels[..., 0].size / 4
    assert (red.min(0) > 0).all()
    assert (red.max(0) < np.array(pixels.shape[:2]) - 1).all()
