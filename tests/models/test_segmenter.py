"""The whole network: what it returns, at which stride, and a head for other classes."""

import torch

from switchseg.classes import Classes
from switchseg.models.create import create_model
from switchseg.models.decoders import DECODERS


def test_auxiliary_head_answers_in_training_only() -> None:
    model = create_model("resnet18", "segformer", "bn", 4, auxiliary=True)
    images = torch.randn(2, 3, 64, 64)
    logits, auxiliary = model(images)
    assert logits.shape == (2, 4, 16, 16)
    assert auxiliary.shape == (2, 4, 4, 4)
    assert model.eval()(images).shape == logits.shape


def test_a_new_head_leaves_the_rest_alone() -> None:
    model = create_model("resnet18", "c1_deepsup", "bn", 5)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    model.reset_head(Classes.unnamed(2))
    after = model.state_dict()
    changed = {key for key in before if before[key].shape != after[key].shape}
    assert changed == {f"{part}.classify.{leaf}" for part in ("decoder", "auxiliary") for leaf in ("weight", "bias")}
    assert all(torch.equal(before[key], after[key]) for key in before if key not in changed)
    assert model.spec.num_classes == 2


def test_every_decoder_announces_its_stride() -> None:
    for name, decoder in DECODERS.items():
        with torch.device("meta"):
            model = create_model("resnet50_dilated16", name, "bn", 2)
        # `unet` takes the stem's map too, which lies before the first that others see.
        assert model.stride == (2 if name == "unet" else 16 if decoder.level == -1 else 4)
