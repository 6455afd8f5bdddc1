"""What is launched for inputs of one kind, without a device: how many kernels, with which tensors."""

import pytest
import torch

pytest.importorskip("triton")

from switchseg.norms.operator import kernels, plans
from switchseg.norms.operator.call import STATISTICS, Inputs, Options
from switchseg.norms.operator.cut import Cut

CUT, WHOLE = Cut.of(2, 64, 120 * 160, False), Cut.of(16, 2048, 64, False)
LAYER = Options(STATISTICS, 1e-5, 0.003, relu=False, training=True)


def kernels_of(recipes):
    return [[step.kernel for step in recipe.steps] for recipe in recipes]


@pytest.mark.parametrize(("cut", "joins"), [(CUT, True), (WHOLE, False)])
def test_a_layer_is_at_most_three_launches_each_way(cut, joins):
    forward = kernels_of(plans.forward_recipes(cut, torch.float32, {"residual"}, LAYER))
    assert forward == [[kernels.moments, *([kernels.merge] if joins else []), kernels.apply]]
    backward = kernels_of(plans.backward_recipes(cut, torch.float32, {"y"}, LAYER))
    assert backward == [[kernels.sums, *([kernels.merge_sums] if joins else []), kernels.gradient]]


def test_evaluation_of_batch_statistics_alone_reads_once():
    options = LAYER._replace(statistics=("bn",), training=False)
    assert kernels_of(plans.forward_recipes(CUT, torch.float32, {"residual", "batches"}, options)) == [[kernels.apply]]


def test_other_processes_are_heard_between_two_launches():
    options = LAYER._replace(group="0")
    assert len(plans.forward_recipes(CUT, torch.float32, {"residual"}, options)) == 2
    assert len(plans.backward_recipes(CUT, torch.float32, {"y"}, options)) == 2


def test_maps_have_their_own_type_and_everything_else_is_float32():
    (recipe,) = plans.forward_recipes(CUT, torch.bfloat16, {"residual"}, LAYER)
    maps = {name for name, dtype in recipe.types.items() if dtype is torch.bfloat16}
    assert maps == {"x", "y"}
    assert recipe.types["batches"] is torch.int64
    assert set(recipe.types) == {*Inputs._fields, "y", "kept", "partial"} - {"residual"}


def test_a_tensor_that_is_missing_reaches_no_kernel():
    (recipe,) = plans.forward_recipes(CUT, torch.float32, {"residual", "weight", "bias"}, LAYER)
    apply = recipe.steps[-1]
    assert apply.arguments["weight"] is None
    assert apply.arguments["x"] == "x"
    assert apply.constants["RELU"] is False
