"""The layer against the 2018 code's numbers, its files and its running statistics."""

import pytest
import torch
from safetensors.torch import load_file

from switchseg.norms import SwitchNorm2d
from switchseg.norms.modules import LONG_TRAINED


@pytest.mark.parametrize(("case", "statistics"), [("sn2d", ("in", "ln", "bn")), ("sn2d_no_bn", ("in", "ln"))])
def test_golden_2018(golden, case, statistics):
    numbers = load_file(golden / "switch_norm.safetensors")
    numbers = {name.removeprefix(f"{case}."): value for name, value in numbers.items() if name.startswith(f"{case}.")}
    layer = SwitchNorm2d(6, statistics=statistics, dtype=torch.float64)
    state = {name.removeprefix("before."): value for name, value in numbers.items() if name.startswith("before.")}
    layer.load_state_dict(state)

    def check(y_name, dx_name, grad_name):
        x = numbers["x"].clone().requires_grad_()
        layer.zero_grad()
        y = layer(x)
        y.backward(numbers["dy"])
        torch.testing.assert_close(y, numbers[y_name], atol=1e-12, rtol=1e-12)
        torch.testing.assert_close(x.grad, numbers[dx_name], atol=1e-12, rtol=1e-12)
        for name, parameter in layer.named_parameters():
            expected = numbers[f"{grad_name}.{name}"].reshape(parameter.shape)
            torch.testing.assert_close(parameter.grad, expected, atol=1e-12, rtol=1e-12)

    check("y_train", "dx", "grad")
    for name in ("running_mean", "running_var"):
        if f"after.{name}" in numbers:
            expected = numbers[f"after.{name}"].flatten()
            torch.testing.assert_close(getattr(layer, name), expected, atol=1e-12, rtol=1e-12)
    layer.eval()  # with the running statistics of that step
    check("y_eval", "dx_eval", "grad_eval")


def test_missing_batch_count_means_long_trained():
    layer = SwitchNorm2d(4)
    state = layer.state_dict()
    del state["num_batches_tracked"]
    layer.load_state_dict(state)
    assert layer.num_batches_tracked == LONG_TRAINED
