import pytest

from switchseg.classes import Classes
from switchseg.demo.names import _DECODERS, model_title
from switchseg.models.decoders import DECODERS
from switchseg.models.spec import ModelSpec


@pytest.mark.parametrize(
    ("encoder", "decoder", "title"),
    [
        ("tf_efficientnet_lite0_dilated16", "deeplabv3plus", "EfficientNet-Lite0 + DeepLabV3+, 5 classes"),
        ("resnet50dilated", "ppm_bilinear_deepsup", "ResNet-50 + PSPNet, 5 classes"),
        ("convnext_tiny", "upernet", "ConvNeXt-Tiny + UPerNet, 5 classes"),
        ("xception41", "c1", "xception41 + one convolution, 5 classes"),
    ],
)
def test_titles_are_those_of_papers(encoder, decoder, title):
    assert model_title(ModelSpec(encoder, decoder, "sn", Classes.unnamed(5))) == title


def test_every_decoder_has_one():
    assert set(DECODERS) <= set(_DECODERS)
