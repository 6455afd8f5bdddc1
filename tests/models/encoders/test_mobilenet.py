"""MobileNetV2 with MIT's dilation and maps."""

import torch

from switchseg.models.encoders.timm_encoder import create_encoder


def test_mobilenet_dilates_the_last_two_strides() -> None:
    """MIT: from block 7 the depthwise convolutions are dilated by 2, from block 14 by 4, the first ones by half."""
    with torch.device("meta"):
        encoder = create_encoder("mobilenetv2dilated")
    rates = [block.conv_dw.dilation[0] for block in encoder.blocks]
    assert rates == [1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 4, 4, 4]
    assert [block.conv_dw.stride[0] for block in encoder.blocks] == [1, 2, 1, 2] + 13 * [1]


def test_maps_are_those_of_the_first_blocks_of_their_stages() -> None:
    torch.manual_seed(0)
    encoder = create_encoder("mobilenetv2dilated").eval()
    image = torch.randn(1, 3, 64, 64)
    seen: dict[int, torch.Tensor] = {}
    for index in (2, 4, 7, 14, 17):
        encoder.blocks[index - 1].register_forward_hook(lambda _, __, out, index=index: seen.update({index: out}))
    with torch.no_grad():
        maps = encoder(image)
    assert all(torch.equal(one, other) for one, other in zip(maps, seen.values(), strict=True))
    assert [tuple(each.shape[1:]) for each in maps] == [
        (channels, 64 // stride, 64 // stride)
        for channels, stride in zip(encoder.maps.channels, encoder.maps.strides, strict=True)
    ]
