"""Stages and blocks are found in the networks of timm, in our own and in none that has none."""

import pytest

from switchseg.models.depth import blocks, stages
from switchseg.models.encoders.timm_encoder import create_encoder

# encoder -> stages, blocks, and some tensors with their stage and block
NETWORKS = {
    "resnet18": (
        4,
        8,
        {"body.conv1.weight": (0, 0), "body.layer1.1.bn2.bias": (1, 2), "body.layer4.0.bn1.bias": (4, 7)},
    ),
    "convnext_atto": (4, 12, {"body.stem_1.bias": (0, 0), "body.stages_1.downsample.0.weight": (2, 3)}),
    "swin_tiny_patch4_window7_224": (4, 12, {"body.layers_3.blocks.1.norm1.weight": (4, 12)}),
    "regnetx_002": (4, 13, {"body.s1.b1.conv1.conv.weight": (1, 1), "body.s2.b1.conv1.conv.weight": (2, 2)}),
    "tf_efficientnet_lite0": (7, 16, {"body.blocks.6.0.conv_pw.weight": (7, 16)}),
    "mobilenetv2dilated": (17, 17, {"stem.0.weight": (0, 0), "blocks.16.conv_pw.weight": (17, 17)}),
    "vgg11_bn": (0, 0, {"body.features_0.weight": (0, 0)}),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_tensor_has_its_stage_and_block(name):
    count, parts, places = NETWORKS[name]
    encoder = create_encoder(name)
    stage_of, block_of = stages(encoder), blocks(encoder)
    assert set(stage_of) == set(block_of) == set(encoder.state_dict())
    assert set(stage_of.values()) == set(range(count + 1))
    assert set(block_of.values()) == set(range(parts + 1))
    assert {key: (stage_of[key], block_of[key]) for key in places} == places
