from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import nn

from switchseg.checkpoints.legacy import export_states
from switchseg.errors import UserError
from switchseg.models.config import ModelConfig
from switchseg.models.create import create_model
from switchseg.models.encoders.timm_encoder import create_encoder
from switchseg.models.pretrained import create_pretrained
from switchseg.norms import norm_shares


def run(network: nn.Module, image: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return network.eval()(image)[-1]


@pytest.fixture
def image() -> torch.Tensor:
    return torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(3))


def scramble(network: nn.Module) -> nn.Module:
    """Give the norms statistics that matter."""
    generator = torch.Generator().manual_seed(0)
    for key, tensor in network.state_dict().items():
        if key.endswith(("running_mean", "bias")):
            tensor.copy_(0.1 * torch.randn(tensor.shape, generator=generator))
        elif key.endswith("running_var") or tensor.dim() == 1:
            tensor.copy_(0.5 + torch.rand(tensor.shape, generator=generator))
    return network


def test_torchvision_weights_start_a_batch_norm_encoder(tmp_path: Path, image: torch.Tensor) -> None:
    classifier = scramble(torchvision.models.resnet18())
    torch.save(classifier.state_dict(), tmp_path / "resnet18.pth")
    encoder = create_pretrained("resnet18", "bn", str(tmp_path / "resnet18.pth"), None)
    features = torchvision.models._utils.IntermediateLayerGetter(classifier.eval(), {"layer4": "layer4"})
    with torch.no_grad():
        torch.testing.assert_close(run(encoder, image), features(image)["layer4"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("norm", ["sn", "syncsn", "syncbn"])
def test_batch_norm_weights_start_other_norms_with_the_same_output(
    norm: str, tmp_path: Path, image: torch.Tensor
) -> None:
    torch.save(scramble(timm.create_model("resnet18")).state_dict(), tmp_path / "w.pth")
    expected = run(create_pretrained("resnet18_dilated8", "bn", str(tmp_path / "w.pth"), None), image)
    result = run(create_pretrained("resnet18_dilated8", norm, str(tmp_path / "w.pth"), None), image)
    torch.testing.assert_close(result, expected, rtol=1e-3, atol=1e-4 * expected.abs().max().item())


def test_a_uniform_start_can_be_asked_for(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "w.pth")
    encoder = create_pretrained("resnet18", "sn", str(tmp_path / "w.pth"), "uniform")
    assert torch.equal(encoder.body.bn1.mean_weight, torch.ones(3))


@pytest.mark.parametrize("name", ["mobilenetv2_100", "efficientnet_b0", "convnext_atto", "hrnet_w18_small"])
def test_files_of_timm_fit_their_encoders(name: str, tmp_path: Path) -> None:
    torch.save(timm.create_model(name).state_dict(), tmp_path / "w.pth")
    create_pretrained(name, "bn", str(tmp_path / "w.pth"), None)


def test_mobilenet_of_timm_starts_that_of_mit(tmp_path: Path, image: torch.Tensor) -> None:
    classifier = scramble(timm.create_model("mobilenetv2_100", output_stride=8))
    torch.save(classifier.state_dict(), tmp_path / "w.pth")
    encoder = create_pretrained("mobilenetv2dilated", "bn", str(tmp_path / "w.pth"), None)
    with torch.no_grad():
        stem = classifier.eval().bn1(classifier.conv_stem(image))
        torch.testing.assert_close(run(encoder, image), classifier.blocks(stem))


def test_encoders_without_batch_norm_keep_their_norms(tmp_path: Path, image: torch.Tensor) -> None:
    for name in ("convnext_atto", "resnet50_gn"):
        classifier = timm.create_model(name)
        torch.save(classifier.state_dict(), tmp_path / "w.pth")
        encoder = create_pretrained(name, "sn", str(tmp_path / "w.pth"), None)
        torch.testing.assert_close(
            run(encoder, image), run(create_pretrained(name, "bn", str(tmp_path / "w.pth"), None), image)
        )


def test_group_norm_files_start_group_norm_encoders(tmp_path: Path, image: torch.Tensor) -> None:
    torch.save(timm.create_model("resnet50_gn").state_dict(), tmp_path / "w.pth")
    encoder = create_pretrained("resnet50", "gn", str(tmp_path / "w.pth"), None)
    reference = create_pretrained("resnet50_gn", "bn", str(tmp_path / "w.pth"), None)
    torch.testing.assert_close(run(encoder, image), run(reference, image))


@pytest.mark.parametrize(("prefix", "with_classifier"), [("module.", True), ("", False)])
@pytest.mark.parametrize("norm", ["sn", "sn_in_ln"])
def test_imagenet_networks_of_2018_start_an_encoder(
    prefix: str, with_classifier: bool, norm: str, tmp_path: Path, image: torch.Tensor
) -> None:
    """Keys with or without `module.`, the classifier kept or dropped, and SN(8,1) without the BN statistics."""
    trained = scramble(create_model("resnet50", "c1", norm, 2))
    state = export_states(trained.state_dict(), "c1", norm)["encoder"]
    if with_classifier:
        state |= {"fc.weight": torch.ones(1000, 2048), "fc.bias": torch.ones(1000)}
    torch.save({"state_dict": {prefix + key: tensor for key, tensor in state.items()}}, tmp_path / "w.pth")
    encoder = create_pretrained("resnet50", norm, str(tmp_path / "w.pth"), None)
    torch.testing.assert_close(run(encoder, image), run(trained.encoder, image))


def test_imagenet_networks_of_mit_start_an_encoder(tmp_path: Path, image: torch.Tensor) -> None:
    trained = scramble(create_model("resnet18dilated", "c1", "bn", 2))
    state = export_states(trained.state_dict(), "c1", "bn")["encoder"]
    assert "conv3.weight" in state
    torch.save({**state, "fc.weight": torch.ones(1000, 512), "fc.bias": torch.ones(1000)}, tmp_path / "w.pth")
    encoder = create_pretrained("resnet18dilated", "bn", str(tmp_path / "w.pth"), None)
    torch.testing.assert_close(run(encoder, image), run(trained.encoder, image))


def test_the_file_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "w.pth")
    with pytest.raises(UserError, match=r"w\.pth: the weights are not those of this model; \d+ missing"):
        create_model("resnet34", "c1", "bn", pretrained=str(tmp_path / "w.pth"))


def test_no_network_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(UserError, match="^no ImageNet weights for encoder 'resnet18'[^\n]*give the path of a file$"):
        create_model("resnet18", "c1", "bn", pretrained="imagenet")


def test_group_norm_weights_of_timm_fit_ours() -> None:
    """timm has ResNet-50 with GroupNorm: the same keys, shapes and output as our `gn`."""
    ours = create_pretrained("resnet50_dilated8", "gn", None, None)
    theirs = create_encoder("resnet50_gn_dilated8")
    ours.load_state_dict(theirs.state_dict())
    image = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(run(ours, image), run(theirs, image))


def test_a_start_that_is_no_share_is_refused() -> None:
    with pytest.raises(UserError, match=r"^model\.norm_init: 1\.5; uniform, bn or a share between 0 and 1"):
        ModelConfig(norm_init=1.5)


@pytest.mark.parametrize(("norm", "bn"), [("sn", 0.8), ("syncsn", 0.8), ("sn_in_ln", 0.0)])
def test_a_share_can_be_asked_for(norm: str, bn: float, tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "w.pth")
    shares = norm_shares(create_pretrained("resnet18", norm, str(tmp_path / "w.pth"), 0.8))
    assert [layer["mean"]["bn"] for layer in shares.values()] == pytest.approx([bn] * len(shares))


def test_a_random_start_is_uniform_whatever_was_asked_for() -> None:
    shares = norm_shares(create_pretrained("resnet18", "sn", None, 0.8))
    assert shares["body.bn1"]["mean"]["bn"] == pytest.approx(1 / 3)
