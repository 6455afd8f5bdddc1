"""The forward pass of evaluation and prediction."""

import pytest
import torch

from switchseg.config.inference import Compute
from switchseg.engine.network import Network
from switchseg.models.create import create_model


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return create_model("resnet18", "c1_deepsup", "sn", 3).eval()


@torch.inference_mode()
def test_it_returns_what_the_model_returns(model) -> None:
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(Network(model)(images), model(images))


@torch.inference_mode()
def test_half_precision_computes_in_half_precision(model) -> None:
    images = torch.rand(1, 3, 32, 32)
    found = Network(model, Compute(precision="bf16"))(images)
    assert found.dtype is torch.bfloat16
    torch.testing.assert_close(found.float(), model(images), rtol=0.1, atol=0.1 * model(images).abs().max().item())


@torch.inference_mode()
def test_weights_that_change_in_place_are_seen(model) -> None:
    network, images = Network(model), torch.rand(1, 3, 32, 32)
    before, bias = network(images), model.decoder.classify.bias
    bias += 1
    torch.testing.assert_close(network(images), before + 1)
    bias -= 1


@torch.inference_mode()
def test_a_model_in_training_mode_is_a_mistake_of_the_caller(model) -> None:
    model.train()
    try:
        with pytest.raises(AssertionError, match="must be in evaluation mode"):
            Network(model)(torch.rand(1, 3, 32, 32))
    finally:
        model.eval()
