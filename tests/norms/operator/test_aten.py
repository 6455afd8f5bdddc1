"""torch's own kernels put together: layouts, types and lengths that each go another way."""

import pytest
import torch

from switchseg.norms import functional
from switchseg.norms.operator import aten
from tests.norms.cases import CPU_BACKENDS, arguments, assert_same, run

SHAPES = [(2, 3, 1, 1), (2, 3, 2, 1), (1, 8, 7, 5), (3, 1, 4, 4), (2, 3, 2, 3, 4), (2, 5, 9)]


def like_the_formula(values, **tolerances):
    grad = torch.randn(values["x"].shape, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    grad = grad.to(values["x"].dtype)
    assert_same(run(values, grad, backend="aten"), run(values, grad, backend="reference"), **tolerances)


def last(x):
    """Lay out a map with its channels last, as far as torch has a name for it."""
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    return x.contiguous(memory_format=formats[x.dim()]) if x.dim() in formats else x


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("evaluation", [False, True])
@pytest.mark.parametrize("lay_out", [torch.Tensor.contiguous, last])
def test_every_layout_follows_the_formula(shape, evaluation, lay_out):
    values = arguments(shape, ("in", "ln", "bn"), evaluation=evaluation)
    like_the_formula(values | {"x": lay_out(values["x"])})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("lay_out", [torch.Tensor.contiguous, last])
def test_half_precision_follows_the_formula_in_float32(dtype, lay_out):
    values = arguments((2, 4, 6, 6), ("in", "ln", "bn"), dtype)
    like_the_formula(values | {"x": lay_out(values["x"])}, rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("lay_out", [torch.Tensor.contiguous, last])
def test_a_large_mean_costs_no_digits(lay_out):
    values = arguments((2, 4, 16, 16), ("in", "ln", "bn"), torch.float32)
    x = lay_out(values["x"] * 0.01 + 1000)
    found, _ = functional.switch_norm(**values | {"x": x}, backend="aten")
    expected, _ = functional.switch_norm(**values | {"x": x.double()}, backend="reference")
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-2)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("lay_out", [torch.Tensor.contiguous, last])
@pytest.mark.parametrize("ratio", [0, 1e2, 1e4, 1e6])
def test_gradients_at_a_large_mean_are_as_exact_as_the_mean_can_be_stored(backend, lay_out, ratio):
    values = arguments((2, 8, 20, 20), ("in", "ln", "bn"), torch.float32)
    normalized = (values["x"] - 1) / 2
    values["x"] = lay_out(normalized + ratio)
    # Along the input too, or its own part in the gradient would be too small to tell.
    grad = normalized + torch.randn(normalized.shape)
    found = run(values, grad, backend=backend)
    exact = run(
        {name: None if v is None else v.double() for name, v in values.items()}, grad.double(), backend="reference"
    )
    for name in ("x", "shares", "weight", "bias"):
        error = (found[name].double() - exact[name]).norm() / exact[name].norm()
        assert error < 1e-6 + ratio * 2**-24, name  # half a unit in the last place of the mean, in deviations


def test_it_takes_every_type():
    assert not any(aten.obstacle(dtype) for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64))
