import os
from pathlib import Path

import pytest
import torch

from switchseg.checkpoints.legacy import export_states
from switchseg.checkpoints.model_directory import load_model
from switchseg.cli import main
from switchseg.models.create import create_model
from switchseg.models.segmenter import Segmenter


@pytest.fixture(scope="module")
def original() -> Segmenter:
    torch.manual_seed(0)
    return create_model("resnet18dilated", "ppm_deepsup", "bn", 5).eval()


@pytest.fixture
def pair(original: Segmenter, tmp_path: Path) -> Path:
    for part, state in export_states(original.state_dict(), "ppm_deepsup", "bn").items():
        torch.save({f"module.{key}": tensor for key, tensor in state.items()}, tmp_path / f"{part}.pth")
    return tmp_path


def import_weights(folder: Path, **changes: object) -> int:
    options = {
        "encoder": folder / "encoder.pth",
        "decoder": folder / "decoder.pth",
        "arch-encoder": "resnet18dilated",
        "arch-decoder": "ppm_deepsup",
        "num-classes": 5,
        "out": folder / "model",
    }
    options |= {key.replace("_", "-"): value for key, value in changes.items()}
    return main(["import-weights", *(f"--{key}={value}" for key, value in options.items())])


def test_a_pair_becomes_a_model_directory(original: Segmenter, pair: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert import_weights(pair) == 0
    model = load_model(pair / "model")
    assert model.spec.preprocessing.channels == "rgb"
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(model(image), original(image))
    assert "recognised the mit layout" in capsys.readouterr().out


def test_the_preprocessing_can_be_told(pair: Path) -> None:
    assert import_weights(pair, preprocessing="bgr") == 0
    assert load_model(pair / "model").spec.preprocessing.channels == "bgr"


def test_export_weights_is_the_way_back(pair: Path) -> None:
    assert import_weights(pair) == 0
    files = [f"--{part}={pair / 'back' / part}.pth" for part in ("encoder", "decoder")]
    assert main(["export-weights", str(pair / "model"), *files]) == 0
    for part in ("encoder", "decoder"):
        before = torch.load(pair / f"{part}.pth", weights_only=True)
        after = torch.load(pair / "back" / f"{part}.pth", weights_only=True)
        assert {key.removeprefix("module.") for key in before} == after.keys()
        assert all(torch.equal(before[f"module.{key}"], tensor) for key, tensor in after.items())


class Code:
    """What unpickling would call."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("owned",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": "none.pth"}, "none.pth: there is no such file"),
        ({"arch_encoder": "resnet50dilated"}, "encoder.pth: the weights are not those of this model"),
        ({"arch_encoder": "resnet18dilatet"}, "there is no encoder 'resnet18dilatet'; did you mean resnet18dilated"),
        ({"arch_decoder": "c1_deepsup"}, "decoder.pth: the weights are not those of this model"),
        ({"arch_decoder": "c3"}, "there is no decoder 'c3'"),
        ({"arch_decoder": "aspp"}, "no place for decoder 'aspp'"),
        ({"num_classes": 6}, "of another shape: conv_last.4.weight 5x512x1x1 for 6x512x1x1"),
        ({"num_classes": 0}, "--num-classes must be at least 1"),
        ({"preprocessing": "gray"}, "preprocessing"),
    ],
)
def test_mistakes_end_with_one_line_and_nothing_written(
    changes: dict, message: str, pair: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert import_weights(pair, **changes) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert message in told.err
    assert not (pair / "model").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_with_code_is_refused(
    zipped: bool, pair: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pair)
    torch.save({"weight": Code()}, pair / "evil.pth", _use_new_zipfile_serialization=zipped)
    assert import_weights(pair, encoder=pair / "evil.pth") == 2
    assert "loading it could run code" in capsys.readouterr().err
    assert not (pair / "owned").exists()
    assert not (pair / "model").exists()


def test_a_truncated_checkpoint_is_refused(pair: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = (pair / "decoder.pth").read_bytes()
    (pair / "decoder.pth").write_bytes(data[: len(data) // 2])
    assert import_weights(pair) == 2
    assert "decoder.pth: no whole weight file" in capsys.readouterr().err
    assert not (pair / "model").exists()
