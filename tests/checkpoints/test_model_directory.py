import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from switchseg import files
from switchseg.checkpoints.model_directory import CONFIG, WEIGHTS, load_model, read_spec, save_model
from switchseg.classes import Classes
from switchseg.errors import UserError
from switchseg.models.create import create_model
from switchseg.models.segmenter import Segmenter
from switchseg.norms import NORMS, register_norm
from switchseg.preprocessing import BGR


@pytest.fixture(scope="module")
def model() -> Segmenter:
    torch.manual_seed(0)
    return create_model(
        "resnet18_dilated8", "c1_deepsup", "sn", classes=Classes.named(("road", "Straße")), preprocessing=BGR
    )


@pytest.fixture
def folder(model: Segmenter, tmp_path: Path) -> Path:
    save_model(model, tmp_path / "model")
    return tmp_path / "model"


def test_a_norm_of_the_user_travels_by_its_name(tmp_path: Path) -> None:
    def own(channels: int) -> nn.Module:
        return nn.GroupNorm(2, channels)

    path = tmp_path / "model"
    with pytest.raises(
        UserError, match=r"model: the norm .*\.own has no name to be loaded by .*register_norm"
    ) as refusal:
        save_model(create_model("resnet18", "c1", own, 2), path)
    assert "\n" not in str(refusal.value)
    assert not path.exists()
    register_norm("own", own)
    try:
        model = create_model("resnet18", "c1", "own", 2)
        save_model(model, path)
        image = torch.randn(1, 3, 64, 64)
        assert torch.equal(load_model(path)(image), model.eval()(image))
    finally:
        del NORMS["own"]
    with pytest.raises(UserError, match=r"config\.json: norm: there is no norm 'own'.*\(there are bn, "):
        load_model(path)


def test_half_precision_is_for_the_file_alone(model: Segmenter, tmp_path: Path) -> None:
    save_model(model, tmp_path / "half", torch.float16)
    save_model(model, tmp_path / "whole")
    sizes = [(tmp_path / name / WEIGHTS).stat().st_size for name in ("half", "whole")]
    assert sizes[0] < 0.6 * sizes[1]
    for key, tensor in load_model(tmp_path / "half").state_dict().items():
        own = model.state_dict()[key]
        assert tensor.dtype == own.dtype
        torch.testing.assert_close(tensor, own.half().to(own.dtype) if own.is_floating_point() else own)


def test_a_model_comes_back_as_it_was(model: Segmenter, folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG, WEIGHTS]
    loaded = load_model(folder)
    assert loaded.spec == model.spec
    assert not loaded.training
    assert all(torch.equal(tensor, loaded.state_dict()[key]) for key, tensor in model.state_dict().items())


def test_a_loaded_model_lies_in_memory_of_its_own(folder: Path) -> None:
    """Not in the mapped file, where tensors start anywhere and another writer may change them."""
    loaded = load_model(folder)
    before = {key: tensor.clone() for key, tensor in loaded.state_dict().items()}
    assert all(tensor.data_ptr() % 64 == 0 for tensor in loaded.parameters())
    with (folder / WEIGHTS).open("r+b") as file:
        file.write(bytes((folder / WEIGHTS).stat().st_size))
    assert all(torch.equal(tensor, before[key]) for key, tensor in loaded.state_dict().items())


def test_a_run_directory_is_as_good(folder: Path) -> None:
    assert load_model(folder.parent).spec == load_model(folder).spec


def test_channels_last_weights_are_saved(model: Segmenter, tmp_path: Path) -> None:
    moved = create_model("resnet18", "c1", "bn", 2).to(memory_format=torch.channels_last)
    save_model(moved, tmp_path)
    assert torch.equal(load_model(tmp_path).decoder.classify.weight, moved.decoder.classify.weight)


def test_what_a_transformer_computes_instead_of_saving_is_there(tmp_path: Path) -> None:
    """Swin's attention indices are not in its state dict."""
    model = create_model("swin_tiny_patch4_window7_224", "c1", "bn", 2).eval()
    save_model(model, tmp_path)
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(load_model(tmp_path)(image), model(image))


def test_a_loaded_model_can_be_trained(folder: Path) -> None:
    loaded = load_model(folder).train()
    logits, auxiliary = loaded(torch.randn(2, 3, 64, 64))
    (logits.sum() + auxiliary.sum()).backward()
    assert all(parameter.grad is not None for parameter in loaded.parameters())


def test_half_precision_weights_become_what_the_model_computes_in(model: Segmenter, folder: Path) -> None:
    state = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in model.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    assert load_model(folder).encoder.body.conv1.weight.dtype == torch.float32


def test_missing_parts_are_told(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no such model or run directory"):
        load_model(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="neither a model nor a run directory"):
        load_model(tmp_path / "empty")
    (folder / WEIGHTS).unlink()
    with pytest.raises(UserError, match=r"model\.safetensors: there is no such file"):
        load_model(folder)


def test_truncated_weights_are_told(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match=r"model\.safetensors: no whole weight file"):
        load_model(folder)


def test_weights_of_another_model_are_told(folder: Path) -> None:
    save_model(create_model("resnet18_dilated8", "c1", "bn", 2), folder / "other")
    (folder / "other" / WEIGHTS).replace(folder / WEIGHTS)
    with pytest.raises(UserError, match=r"not those of this model; \d+ missing: .*; \d+ more|missing"):
        load_model(folder)


HOSTILE: list[tuple[str, Any]] = [
    ("encoder", None),
    ("encoder", "hf-hub:somebody/else"),
    ("encoder", "../../etc"),
    ("decoder", ["c1"]),
    ("norm", "sm"),
    ("auxiliary", 1),
    ("classes", []),
    ("classes", {"a": 1}),
    ("classes", [{"name": "a"}]),
    ("classes", [{"name": 3, "color": [1, 2, 3]}]),
    ("classes", [{"name": "a", "color": [1, 2, 300]}]),
    ("classes", [{"name": "a", "color": "red"}]),
    ("preprocessing", None),
    ("preprocessing", {"channels": "grey", "scale": 1, "mean": [0, 0, 0], "std": [1, 1, 1]}),
    ("preprocessing", {"channels": "rgb", "scale": 1, "mean": [0, 0], "std": [1, 1, 1]}),
    ("preprocessing", {"channels": "rgb", "scale": 1, "mean": [0, 0, 0], "std": [1, 0, 1]}),
    ("preprocessing", {"channels": "rgb", "scale": "x", "mean": [0, 0, 0], "std": [1, 1, 1]}),
]


@pytest.mark.parametrize(("key", "value"), HOSTILE)
def test_a_hostile_description_is_told_in_one_line(key: str, value: object, folder: Path) -> None:
    entry = json.loads((folder / CONFIG).read_text()) | {key: value}
    (folder / CONFIG).write_text(json.dumps(entry))
    with pytest.raises(UserError, match=r"config\.json") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"x"', "[" * 100_000, "{}", "\udcff"])
def test_a_description_that_is_none_is_told_in_one_line(text: str, folder: Path) -> None:
    (folder / CONFIG).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=r"config\.json") as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["encoder", "decoder", "norm", "auxiliary", "classes", "preprocessing"])
def test_a_missing_key_is_named(key: str, folder: Path) -> None:
    entry = json.loads((folder / CONFIG).read_text())
    del entry[key]
    (folder / CONFIG).write_text(json.dumps(entry))
    with pytest.raises(UserError, match=f"the key '{key}' is missing"):
        load_model(folder)


def test_a_crash_while_another_model_is_written_leaves_no_mixture(
    model: Segmenter, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = create_model("resnet18_dilated8", "c1_deepsup", "sn", classes=Classes.named(("sky", "sea")))

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_text", crash)
        with pytest.raises(KeyboardInterrupt):
            save_model(other, folder)
    with pytest.raises(UserError, match="neither a model nor a run directory"):
        load_model(folder)

    save_model(model, folder)
    with monkeypatch.context() as patch:
        patch.setattr(files, "replacing", crash)
        with pytest.raises(KeyboardInterrupt):
            save_model(model, folder)
    assert load_model(folder).spec == model.spec


def test_a_folder_that_cannot_be_written_is_told(model: Segmenter, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="the model cannot be written"):
        save_model(model, tmp_path / "file")


def test_the_spec_is_read_without_the_weights(model: Segmenter, folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    assert read_spec(folder) == dataclasses.replace(model.spec)
