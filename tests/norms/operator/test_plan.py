"""How a layer is computed is worked out once, and backward goes by what forward was computed with."""

import pytest
import torch

from switchseg.norms import SwitchNorm2d
from switchseg.norms.operator import backends, boundary
from switchseg.norms.operator.call import STATISTICS, Inputs, Options
from tests.norms.cases import CPU_BACKENDS

OPTIONS = Options(STATISTICS, 1e-5, 0.003, relu=False, training=True)


def inputs_like(x):
    few = torch.ones(x.shape[1])
    return Inputs(x, None, torch.ones(3), torch.ones(3), few, few)


@pytest.mark.parametrize("backend", ["auto", *CPU_BACKENDS])
def test_calls_that_differ_in_numbers_alone_have_one_plan(backend):
    x = torch.randn(2, 4, 5, 6)
    plan = backends.find_plan(inputs_like(x), OPTIONS, backend)
    assert plan is backends.find_plan(inputs_like(x + 1), OPTIONS._replace(), backend)


@pytest.mark.parametrize(
    ("x", "changes"),
    [
        (torch.zeros(2, 4, 5, 7), {}),
        (torch.zeros(2, 4, 5, 6).double(), {}),
        (torch.zeros(2, 4, 5, 6).contiguous(memory_format=torch.channels_last), {}),
        (torch.zeros(2, 4, 5, 6), {"eps": 1e-3}),
        (torch.zeros(2, 4, 5, 6), {"training": False}),
    ],
)
def test_all_that_decides_makes_another_plan(x, changes):
    first = backends.find_plan(inputs_like(torch.zeros(2, 4, 5, 6)), OPTIONS, "auto")
    assert first is not backends.find_plan(inputs_like(x), OPTIONS._replace(**changes), "auto")


def test_what_is_none_makes_another_plan():
    inputs = inputs_like(torch.zeros(2, 4, 5, 6))
    plans = [
        backends.find_plan(each, OPTIONS, "auto")
        for each in (inputs, inputs._replace(weight=None), inputs._replace(residual=inputs.x))
    ]
    assert len({id(plan) for plan in plans}) == 3


def test_there_is_none_for_the_formula_and_for_maps_that_are_not_dense():
    x = torch.zeros(2, 4, 5, 6)
    assert backends.find_plan(inputs_like(x), OPTIONS, "reference") is None
    assert backends.find_plan(inputs_like(x[..., ::2]), OPTIONS, "auto") is None


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("residual", [False, True])
def test_saved_maps_may_come_back_in_another_order(backend, residual):
    """As `torch.autograd.graph.save_on_cpu` returns what is channels_last from pinned memory."""
    layer = SwitchNorm2d(3, activation="relu", backend=backend)
    x = torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    inputs = (x, torch.randn_like(x).requires_grad_()) if residual else (x,)
    grad = torch.randn(2, 3, 4, 5)
    expected = torch.autograd.grad(layer(*inputs), inputs, grad)
    with torch.autograd.graph.saved_tensors_hooks(torch.clone, torch.Tensor.contiguous):
        y = layer(*inputs)
    for found, value in zip(torch.autograd.grad(y, inputs, grad), expected, strict=True):
        torch.testing.assert_close(found, value)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@torch.no_grad()
def test_an_output_where_the_gradient_needs_none_is_refused(backend):
    """Anybody may call the operator, and what is not expected would stand in the place of another tensor."""
    x, few = torch.randn(2, 3, 4, 5), torch.ones(3)
    y, kept = boundary.operator(x, None, few, few, few, few, None, None, "in ln bn", 1e-5, False, True, "", backend)
    how = (False, True, "in ln bn", 1e-5, False, True, True, "", backend)
    with pytest.raises(RuntimeError, match="other data"):
        boundary.backward_operator(y, x, y, few, None, kept, *how)
