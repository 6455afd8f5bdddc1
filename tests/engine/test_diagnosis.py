"""The layer, parameter or input that stops a pass from being finite is named."""

import torch
from torch import nn

from switchseg.engine.diagnosis import first_non_finite


class Overflow(nn.Module):
    """What a layer does that grows beyond its type."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 1e38 * 1e38


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.Sequential(nn.ReLU(), Overflow()), nn.Conv2d(4, 4, 1))


def images() -> torch.Tensor:
    return torch.rand(1, 3, 4, 4) + 1


def test_the_first_layer_is_named_and_not_what_follows() -> None:
    assert first_non_finite(network(), images()) == "1.1"


def test_a_finite_pass_has_nothing_to_name() -> None:
    assert first_non_finite(network()[:1], images()) is None


def test_a_parameter_is_named_before_the_layers_that_it_breaks() -> None:
    model = network()
    with torch.no_grad():
        model[2].bias[0] = float("nan")
    assert first_non_finite(model, images()) == "the parameter 2.bias"


def test_the_input_is_named_before_everything() -> None:
    assert first_non_finite(network(), images() * float("inf")) == "the input"


def test_no_hook_is_left_behind() -> None:
    model = network()
    first_non_finite(model, images())
    assert not any(module._forward_hooks for module in model.modules())
