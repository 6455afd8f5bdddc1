"""A norm that would see one value per channel is refused before a run begins, with norms that work."""

from pathlib import Path

import pytest

from switchseg.cli import main
from switchseg.config.schema import RunConfig, TrainConfig
from switchseg.engine.single_values import obstacle
from switchseg.models.config import ModelConfig

CONFIG = """
model: {{encoder: resnet18, decoder: {decoder}, norm: {norm}}}
data: {{dataset: camvid, root: {root}, short_sides: [{side}], workers: 0}}
train: {{steps: 1, images_per_device: {images}, threads: 1}}
evaluate: {{short_sides: [32], multi_short_sides: [], pictures: 0, extremes: 0}}
"""


def train(folder: Path, root: Path, **settings: object) -> int:
    settings = {"decoder": "ppm", "norm": "bn", "side": 64, "images": 1, **settings}
    (folder / "c.yaml").write_text(CONFIG.format(root=root, **settings))
    return main(["train", str(folder / "c.yaml"), "--out", str(folder / "run")])


@pytest.mark.parametrize("norm", ["bn", "syncbn"])
@pytest.mark.parametrize(("decoder", "side"), [("ppm", 64), ("aspp", 64), ("deeplabv3plus_deepsup", 64), ("c1", 32)])
def test_one_image_and_one_cell_are_refused_in_one_line(
    tmp_path: Path, tiny_camvid: Path, capsys: pytest.CaptureFixture[str], norm: str, decoder: str, side: int
) -> None:
    assert train(tmp_path, tiny_camvid, norm=norm, decoder=decoder, side=side) == 2
    line = capsys.readouterr().err
    assert line.startswith(f"switchseg: error: model.norm {norm}: with train.images_per_device 1")
    assert "take model.norm sn, sn_in_ln or gn" in line
    assert line.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("norm", ["sn", "sn_in_ln", "gn"])
@pytest.mark.parametrize("decoder", ["ppm", "aspp"])
def test_the_norms_that_are_named_work_in_the_same_directory(
    tmp_path: Path, tiny_camvid: Path, norm: str, decoder: str
) -> None:
    assert train(tmp_path, tiny_camvid, decoder=decoder) == 2
    assert train(tmp_path, tiny_camvid, decoder=decoder, norm=norm) == 0


@pytest.mark.parametrize("freeze", [True, False])
def test_frozen_norms_normalize_a_single_value_with_what_they_know(freeze: bool) -> None:
    model = ModelConfig(encoder="resnet18_dilated8", decoder="ppm", norm="bn")
    train = TrainConfig(images_per_device=1, freeze_norms=freeze)
    assert (obstacle(RunConfig(model=model, train=train)) is None) == freeze


def test_two_images_work(tmp_path: Path, tiny_camvid: Path) -> None:
    assert train(tmp_path, tiny_camvid, images=2) == 0


@pytest.mark.parametrize(
    ("norm", "decoder", "ranks", "possible"),
    [
        ("bn", "aspp", 1, False),
        ("bn", "aspp", 2, False),
        ("syncbn", "aspp", 1, False),
        ("syncbn", "aspp", 2, True),
        ("bn", "c1", 1, True),
        ("sn", "aspp", 1, True),
    ],
)
def test_processes_that_share_their_statistics_see_more_than_one_image(
    norm: str, decoder: str, ranks: int, possible: bool
) -> None:
    model = ModelConfig(encoder="resnet18_dilated8", decoder=decoder, norm=norm)
    assert (obstacle(RunConfig(model=model, train=TrainConfig(images_per_device=1)), ranks) is None) == possible
