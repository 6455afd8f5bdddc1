"""Every decoder with every norm on four kinds of encoder: what any pair must be able to do."""

import itertools
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from switchseg.checkpoints.model_directory import load_model, save_model
from switchseg.errors import UserError
from switchseg.models.create import create_model
from switchseg.models.decoders import DECODERS
from switchseg.norms import NORMS

ENCODERS = ("resnet18_dilated8", "mobilenetv2dilated", "hrnetv2", "convnext_tiny")
PYRAMIDS = ("upernet", "upernet_lite", "deeplabv3plus", "unet")

QUICK = [
    *itertools.product(ENCODERS[:1], DECODERS, ("sn",)),
    *itertools.product(ENCODERS[1:2], ("c1", "ppm"), ("bn",)),
    *itertools.product(("vit_tiny_patch16_224",), ("linear", "unet"), ("sn",)),
]
SLOW = [case for case in itertools.product(ENCODERS, DECODERS, NORMS) if case not in QUICK]


def check_pair(encoder: str, decoder: str, norm: str, folder: Path) -> None:
    if encoder == "hrnetv2" and decoder in PYRAMIDS:
        with torch.device("meta"), pytest.raises(UserError, match="needs 2 feature maps, but encoder 'hrnetv2' has 1"):
            create_model(encoder, decoder, norm, 5)
        return
    torch.manual_seed(0)
    model = create_model(encoder, decoder, norm, 5, auxiliary=encoder != "hrnetv2")

    images = torch.randn(2, 3, 33, 45)  # no multiple of any stride
    logits, *auxiliary = outputs if isinstance(outputs := model(images), tuple) else (outputs,)
    assert logits.shape[:2] == (2, 5)
    assert all(abs(got - side / model.stride) < 1 for got, side in zip(logits.shape[2:], (33, 45), strict=True))
    assert len(auxiliary) == (encoder != "hrnetv2")
    loss = sum(F.cross_entropy(each, torch.ones(2, *each.shape[2:], dtype=torch.long)) for each in (logits, *auxiliary))
    loss.backward()
    silent = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not silent
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())

    model.eval()
    one = images[:1]
    with torch.no_grad():
        expected = model(one)
        channels_last = model(one.contiguous(memory_format=torch.channels_last))
        # An untrained network of norms on maps of one pixel magnifies rounding; a wrong layout would be wholly wrong.
        torch.testing.assert_close(channels_last, expected, rtol=0, atol=0.01 * expected.abs().max().item())
        save_model(model, folder)
        torch.testing.assert_close(load_model(folder)(one), expected, rtol=0, atol=0)


@pytest.mark.parametrize(("encoder", "decoder", "norm"), QUICK)
def test_pair(encoder: str, decoder: str, norm: str, tmp_path: Path) -> None:
    check_pair(encoder, decoder, norm, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("encoder", "decoder", "norm"), SLOW)
def test_every_pair(encoder: str, decoder: str, norm: str, tmp_path: Path) -> None:
    check_pair(encoder, decoder, norm, tmp_path)


@pytest.mark.parametrize("decoder", ["ppm", "upernet_lite", "aspp"])
def test_one_image_per_step_trains_with_switchable_normalization(decoder: str) -> None:
    """The 2018 pyramid pooling was NaN here: one value has no unbiased variance."""
    torch.manual_seed(0)
    model = create_model("resnet18_dilated8", decoder, "sn", 3)
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    image = torch.randn(1, 3, 48, 48)
    losses = []
    for _ in range(8):
        logits = model(image)
        label = (torch.arange(logits.shape[3]) * 3 // logits.shape[3]).expand(1, *logits.shape[2:])
        loss = F.cross_entropy(logits, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())
