"""Rasters: labelled in windows, with their georeference."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from switchseg.checkpoints.model_directory import save_model
from switchseg.classes import Classes
from switchseg.config.inference import Rule
from switchseg.engine.fusion import fuse
from switchseg.engine.inputs import find_inputs
from switchseg.engine.predict import predict
from switchseg.engine.predictor import Predictor
from switchseg.engine.raster import label_raster
from switchseg.engine.seams import Seams
from switchseg.models.create import create_model
from tests.data.test_rasters import write

rasterio = pytest.importorskip("rasterio", reason="the extra geo is not installed")


def scene(height: int = 96, width: int = 200) -> np.ndarray:
    """Bright on one side, without data at the top left."""
    pixels = np.random.default_rng(0).integers(1, 200, (3, height, width)).astype(np.uint8)
    pixels[:, :, width // 2 :] += 50
    pixels[:, :40, :90] = 0
    return pixels


def labels_of(path: Path) -> tuple[np.ndarray, dict]:
    with rasterio.open(path) as file:
        return file.read(1), file.profile


@pytest.mark.parametrize("whole", [False, True])
def test_a_raster_keeps_its_georeference(camvid_model: Path, tmp_path: Path, whole: bool) -> None:
    source = write(tmp_path / "in.tif", scene(), nodata=0)
    predictor = Predictor(camvid_model, rule=Rule(window=64, whole_image_statistics=whole), device="cpu")
    found: list[Seams] = []
    assert predict(predictor, find_inputs([source]), tmp_path / "out", quiet=True, seams=found.append) == {}
    labels, profile = labels_of(tmp_path / "out/in_labels.tif")
    with rasterio.open(source) as file:
        assert {key: profile[key] for key in ("crs", "transform")} == {"crs": file.crs, "transform": file.transform}
    assert (profile["nodata"], profile["dtype"], labels.shape) == (255, "uint8", (96, 200))
    np.testing.assert_array_equal(labels == 255, (scene() == 0).all(0))
    shares = json.loads((tmp_path / "out/in_shares.json").read_text())
    assert shares == {
        name: pytest.approx(float((labels == index).sum() / (labels != 255).sum()))
        for index, name in enumerate(predictor.classes.names)
        if (labels == index).any()
    }
    assert found[0].along > 0
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == ["legend.png"]


def test_one_window_gives_the_labels_of_the_network(camvid_model: Path, tmp_path: Path) -> None:
    pixels = scene()
    pixels[pixels == 0] = 1
    predictor = Predictor(camvid_model, rule=Rule(window=224), device="cpu")
    predict(predictor, find_inputs([write(tmp_path / "in.tif", pixels)]), tmp_path / "out", quiet=True)
    with torch.inference_mode():
        inputs = predictor.model.spec.preprocessing.normalize(torch.from_numpy(pixels)[None])
        expected, _ = fuse([predictor.model(inputs)[0].permute(1, 2, 0)], (96, 200))
    np.testing.assert_array_equal(labels_of(tmp_path / "out/in_labels.tif")[0], expected)


def test_a_raster_is_labelled_once_and_its_labels_are_no_input(camvid_model: Path, tmp_path: Path) -> None:
    write(tmp_path / "in.tif", scene())
    predictor = Predictor(camvid_model, rule=Rule(window=64), device="cpu")
    for _ in range(2):
        predict(predictor, find_inputs([tmp_path / "in.tif"]), tmp_path, quiet=True)
        made = (tmp_path / "in_labels.tif").stat().st_mtime_ns
    assert (tmp_path / "in_labels.tif").stat().st_mtime_ns == made
    assert len((tmp_path / "predict.jsonl").read_text().splitlines()) == 1


def test_a_raster_that_breaks_off_leaves_nothing(camvid_model: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in.tif", scene(), tiled=True, blockxsize=16, blockysize=16)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    predictor = Predictor(camvid_model, rule=Rule(window=64), device="cpu")
    failures = predict(predictor, find_inputs([source]), tmp_path / "out", quiet=True)
    assert [str(source)] == list(failures)
    assert "\n" not in failures[str(source)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["legend.png", "predict.json"]


def test_the_threshold_of_two_classes_holds_for_rasters(tmp_path: Path) -> None:
    save_model(create_model("resnet18", "c1", "sn", classes=Classes.named(("background", "field"))), tmp_path / "model")
    source, shares = write(tmp_path / "in.tif", scene()), {}
    for threshold in (0.0, 1.0):
        predictor = Predictor(tmp_path / "model", rule=Rule(window=224, threshold=threshold), device="cpu")
        shares[threshold], _ = label_raster(predictor, source, tmp_path / "labels.tif")
    assert shares == {0.0: {"field": 1.0}, 1.0: {"background": 1.0}}
