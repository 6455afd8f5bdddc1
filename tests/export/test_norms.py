"""The exported form of the layer says what the layer says, on maps of every size."""

import pytest
import torch

from switchseg import norms
from switchseg.export.norms import PlainSwitchNorm, with_plain_norms


@pytest.mark.parametrize("size", [(1, 6, 1, 1), (3, 6, 1, 1), (1, 6, 1, 5), (2, 6, 7, 4)])
@pytest.mark.parametrize("name", ["sn", "sn_in_ln", "ssn", "syncsn"])
def test_the_output_is_that_of_the_layer(name: str, size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = norms.NORMS[name](6)
    for tensor in (*layer.parameters(), *layer.buffers()):
        if tensor.is_floating_point():
            tensor.data.uniform_(0.2, 1.5)
    layer.eval()
    x = 3 * torch.randn(size) + 100
    with torch.no_grad():
        torch.testing.assert_close(PlainSwitchNorm(layer)(x), layer(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 6), (3, 6), (2, 6, 1), (2, 6, 5)])
def test_maps_of_one_dimension_and_none(size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = norms.SwitchNorm1d(6).eval()
    for tensor in (*layer.parameters(), layer.running_mean, layer.running_var):
        tensor.data.uniform_(0.2, 1.5)
    x = torch.randn(size)
    with torch.no_grad():
        torch.testing.assert_close(PlainSwitchNorm(layer)(x), layer(x), rtol=1e-5, atol=1e-5)


def test_an_activation_and_a_layer_without_scale_are_kept() -> None:
    layer = norms.SwitchNorm2d(4, affine=False, activation="relu").eval()
    x = torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(PlainSwitchNorm(layer)(x), layer(x))


def test_every_layer_of_a_model_is_replaced_and_nothing_else() -> None:
    model = torch.nn.Sequential(norms.SwitchNorm2d(4), torch.nn.Sequential(torch.nn.ReLU(), norms.SwitchNorm2d(4)))
    with_plain_norms(model.eval())
    assert [type(module).__name__ for module in model.modules()] == [
        "Sequential", "PlainSwitchNorm", "Sequential", "ReLU", "PlainSwitchNorm",
    ]  # fmt: skip
