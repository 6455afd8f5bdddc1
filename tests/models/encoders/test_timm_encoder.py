import pytest
import torch
from torch import nn

from switchseg.models.encoders import ALIASES, LISTED
from switchseg.models.encoders.timm_encoder import create_encoder


def geometry(module: nn.Module) -> list[tuple]:
    return [(m.stride, m.dilation, m.padding) for m in module.modules() if isinstance(m, nn.Conv2d)]


@pytest.mark.parametrize("name", LISTED)
def test_maps_are_as_announced(name: str) -> None:
    with torch.device("meta"):
        encoder = create_encoder(name)
        maps = encoder.eval()(torch.empty(1, 3, 96, 160))
    assert [tuple(value.shape[1:]) for value in maps] == [
        (channels, 96 // stride, 160 // stride) for channels, stride in zip(*encoder.maps, strict=True)
    ]


@pytest.mark.parametrize(("suffix", "dilation"), [("_dilated8", {3: 2, 4: 4}), ("_dilated16", {4: 2})])
@pytest.mark.parametrize("depth", [18, 50])
def test_dilation_is_that_of_2018_convolution_by_convolution(depth: int, suffix: str, dilation: dict) -> None:
    """A stride of 2 becomes 1 with half the dilation in its 3x3; every other 3x3 of the stage is dilated fully."""
    with torch.device("meta"):
        plain = create_encoder(f"resnet{depth}").body
        dilated = create_encoder(f"resnet{depth}{suffix}").body
    for stage, rate in dilation.items():
        expected = []
        for layer in plain[f"layer{stage}"].modules():
            if isinstance(layer, nn.Conv2d):
                size = rate // 2 if layer.stride == (2, 2) else rate
                three = layer.kernel_size == (3, 3)
                expected.append(((1, 1), (size, size) if three else (1, 1), (size, size) if three else (0, 0)))
        got = [
            (stride, spread if kernel == (3, 3) else (1, 1), padding)
            for (stride, spread, padding), kernel in zip(
                geometry(dilated[f"layer{stage}"]),
                [m.kernel_size for m in dilated[f"layer{stage}"].modules() if isinstance(m, nn.Conv2d)],
                strict=True,
            )
        ]
        assert got == expected


def test_mit_resnets_have_the_stem_of_three_convolutions() -> None:
    for name in (*ALIASES, "resnext101"):
        if name.startswith("resne"):
            with torch.device("meta"):
                stem = create_encoder(name).body.conv1
            shapes = [tuple(m.weight.shape) for m in stem.modules() if isinstance(m, nn.Conv2d)]
            assert shapes == [(64, 3, 3, 3), (64, 64, 3, 3), (128, 64, 3, 3)]


@pytest.mark.parametrize("name", ["convnext_atto_dilated8", "swin_tiny_patch4_window7_224", "vit_tiny_patch16_224"])
def test_other_families_work_at_any_size(name: str) -> None:
    encoder = create_encoder(name).eval()
    with torch.no_grad():
        maps = encoder(torch.randn(1, 3, 96, 160))
    assert [value.shape[1] for value in maps] == list(encoder.maps.channels)
    assert [96 // value.shape[2] for value in maps] == list(encoder.maps.strides)


@pytest.mark.parametrize("name", ["resnet18_dilated8", "mobilenetv2dilated", "hrnetv2", "convnext_atto"])
def test_running_stages_again_changes_no_gradient(name: str) -> None:
    torch.manual_seed(0)
    encoder = create_encoder(name)
    images = torch.randn(2, 3, 64, 64)
    gradients = []
    for _ in range(2):
        encoder.zero_grad()
        sum(value.square().mean() for value in encoder(images)).backward()
        gradients.append([parameter.grad.clone() for parameter in encoder.parameters()])
        encoder.checkpoint_activations()
    for before, after in zip(*gradients, strict=True):
        torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5 * before.abs().max().item() + 1e-12)
