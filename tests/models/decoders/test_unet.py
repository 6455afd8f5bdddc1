"""U-Net joins every map of the encoder, those at half the image's size included."""

import pytest
import torch

from switchseg.models.blocks import MapSizes
from switchseg.models.create import create_model
from switchseg.models.decoders.unet import UNet
from tests.models.decoders.pyramid import built, levels_used, maps


def test_all_maps_count_and_the_width_halves_on_the_way() -> None:
    model = built(UNet)
    assert levels_used(model) == [0, 1, 2, 3]
    assert model.classify.in_channels == 64
    assert model(maps()).shape == (1, 5, 16, 24)


def test_maps_of_one_size_are_joined_as_they_are() -> None:
    model = built(UNet, MapSizes((8, 8, 8), (8, 8, 8)))
    assert model([torch.randn(1, 8, 5, 7) for _ in range(3)]).shape == (1, 5, 5, 7)


@pytest.mark.parametrize(
    ("encoder", "strides"),
    [
        ("resnet18", (2, 4, 8, 16, 32)),
        ("resnet18_dilated8", (2, 4, 8, 8, 8)),
        ("convnext_atto", (4, 8, 16, 32)),
        ("vit_tiny_patch16_224", (16, 16, 16)),
    ],
)
def test_logits_are_at_the_encoders_finest_stride(encoder: str, strides: tuple[int, ...]) -> None:
    with torch.device("meta"):
        model = create_model(encoder, "unet", "sn", 5).eval()
        logits = model(torch.empty(2, 3, 33, 90))
    assert model.encoder.maps.strides == strides
    assert model.stride == strides[0]
    assert logits.shape == (2, 5, -(-33 // strides[0]), -(-90 // strides[0]))


def test_other_decoders_keep_to_a_quarter() -> None:
    with torch.device("meta"):
        assert create_model("resnet18", "segformer", "sn", 5).encoder.maps.strides == (4, 8, 16, 32)
