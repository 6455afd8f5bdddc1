"""Every encoder that can be built takes images of any size, or says in one line that it does not."""

import pytest
import torch
from torch import nn

from switchseg.errors import UserError
from switchseg.models.create import create_model
from switchseg.models.encoders.any_size import padding_multiple
from switchseg.models.encoders.timm_encoder import create_encoder

FAMILIES = (
    *("resnet18", "resnet18_dilated8", "swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256", "swinv2_cr_tiny_224"),
    *("vit_tiny_patch16_224", "deit_tiny_patch16_224", "eva02_tiny_patch14_224", "convnext_atto", "hrnet_w18_small"),
    *("efficientnet_b0", "mobilevit_xxs", "maxvit_pico_rw_256", "pvt_v2_b0", "mobilenetv4_conv_small"),
    *("xcit_nano_12_p16_224", "davit_tiny", "fastvit_t8", "focalnet_tiny_srf", "vgg11_bn", "nextvit_small"),
    *("repvit_m0_9", "tiny_vit_5m_224", "dpn48b", "res2net50_14w_8s", "efficientvit_b0", "twins_svt_small"),
    *("vit_small_patch16_dinov3", "vit_small_patch14_dinov2", "vit_small_plus_patch16_dinov3"),
    *("resnetv2_50", "nf_regnet_b0", "mobilenetv2dilated", "hrnetv2", "densenet121", "edgenext_xx_small"),
    "tf_efficientnet_lite0",
)
SIZES = ((64, 64), (72, 104), (8, 8), (200, 136), (16, 600), (1, 1), (33, 31))


@pytest.mark.parametrize("name", FAMILIES)
def test_maps_lie_where_the_image_is(name: str) -> None:
    with torch.device("meta"):
        encoder = create_model(name, "c1", num_classes=2).eval().encoder
        for height, width in SIZES:
            maps = encoder(torch.empty(1, 3, height, width))
            expected = [(-(-height // stride), -(-width // stride)) for stride in encoder.maps.strides]
            assert [tuple(value.shape[2:]) for value in maps] == expected


@pytest.mark.parametrize("name", ["convnext_atto", "hrnet_w18_small", "pvt_v2_b0"])
def test_padding_is_the_mean_colour_and_is_cut_off_again(name: str) -> None:
    torch.manual_seed(0)
    encoder = create_model(name, "c1", num_classes=2).eval().encoder
    assert encoder.multiple == 32
    images = torch.randn(1, 3, 40, 72)
    padded = torch.zeros(1, 3, 64, 96)
    padded[:, :, :40, :72] = images
    with torch.no_grad():
        for value, whole, stride in zip(encoder(images), encoder(padded), encoder.maps.strides, strict=True):
            torch.testing.assert_close(value, whole[:, :, : -(-40 // stride), : -(-72 // stride)])


@pytest.mark.parametrize("name", ["convnext_atto", "maxvit_pico_rw_256", "focalnet_tiny_srf"])
def test_small_images_train(name: str) -> None:
    model = create_model(name, "c1", "sn", num_classes=2)
    model(torch.randn(2, 3, 24, 40)).square().mean().backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in model.parameters())


@pytest.mark.parametrize(
    "name", ["efficientformer_l1", "coatnet_nano_rw_224", "hiera_tiny_224", "beit_base_patch16_224", "inception_v3"]
)
def test_encoders_of_one_size_are_refused_when_they_are_built(name: str) -> None:
    with pytest.raises(UserError, match=rf"^encoder '{name}' only takes images of the size that it was made for"):
        create_model(name, "c1", num_classes=2)


class Halving(nn.Module):
    """One map at stride 2 of images whose sides are multiples of `window`."""

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window, self.convolution = window, nn.Conv2d(3, 4, 2, 2)

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        assert not any(length % self.window for length in images.shape[-2:])
        return [self.convolution(images)]


@pytest.mark.parametrize(("window", "multiple"), [(1, 2), (4, 4), (16, 16), (14, 14), (6, None)])
def test_the_smallest_multiple_is_found(window: int, multiple: int | None) -> None:
    assert padding_multiple(Halving(window), [2], channels_last=False) == multiple


@pytest.mark.parametrize("name", ["resnet18", "resnet18_dilated8", "mobilenetv2dilated", "hrnetv2"])
def test_encoders_of_2018_and_mit_need_no_padding(name: str) -> None:
    with torch.device("meta"):
        assert create_encoder(name).multiple == 1


class _Remembers(nn.Module):
    """Keeps what it met last, as positions and windows of some families do, and the weights of an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(3, 3)
        self.met: tuple[int, ...] = ()

    def forward(self, images: torch.Tensor) -> list[torch.Tensor]:
        self.met = tuple(images.shape)
        self.lstm(images.mean((2, 3)))
        return [images[..., ::4, ::4]]


def test_a_network_that_is_asked_keeps_nothing_of_the_question() -> None:
    body = _Remembers().eval()
    assert padding_multiple(body, [4], channels_last=False) == 1
    assert body.met == ()
    assert not body.training
    assert body(torch.randn(1, 3, 8, 8))[0].shape == (1, 3, 2, 2)
    for weight in body.lstm._flat_weights:
        assert weight.device.type == "cpu"
