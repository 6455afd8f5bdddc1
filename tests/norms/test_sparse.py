"""Sparsestmax and the layers that freeze."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim.swa_utils import AveragedModel

from switchseg.norms import (
    SparseSwitchNorm1d,
    SparseSwitchNorm2d,
    SparseSwitchNorm3d,
    SwitchNorm2d,
    norm_shares,
    reference,
    set_sparse_radius,
    sparsestmax,
    unfreeze_sparse,
)
from switchseg.norms.sparse import sparsemax


def _by_definition(logits, radius, centre=None):
    """Follow the paper's recursion for one column."""
    point = sparsemax(logits[:, None])[:, 0]
    if point.max() > 1 - 1e-9:
        return point
    support = (point > 0).to(point.dtype)
    middle = support / support.sum()
    if centre is not None:
        radius = (radius**2 - (middle - centre).square().sum()).sqrt()
    distance = (point - middle).norm()
    if distance >= radius:
        return point
    moved = middle + radius * (point - middle) / distance
    return _by_definition(moved, radius, middle) if moved.min() < 0 else moved


@settings(deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=2, max_size=4, unique_by=lambda value: round(value, 2)), st.floats(0, 0.95))
def test_follows_the_definition(logits, radius):
    logits = torch.tensor(logits, dtype=torch.float64)
    found = sparsestmax(logits[:, None], torch.tensor(radius, dtype=torch.float64))[:, 0]
    torch.testing.assert_close(found, _by_definition(logits, radius), atol=1e-9, rtol=0)


@settings(deadline=None)
@given(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0]), min_size=1, max_size=3), st.floats(0, 1))
def test_ties_stay_on_the_simplex(logits, radius):
    """2018: [.16, .16, .16] at radius .3, NaN at .9, in the gradients too."""
    logits = torch.tensor(logits)[:, None].requires_grad_()
    point = sparsestmax(logits, torch.tensor(radius))
    assert point.min() >= 0
    torch.testing.assert_close(point.sum(), torch.tensor(1.0))
    point.square().sum().backward()
    assert logits.grad.isfinite().all()


def test_radius_ends_at_one_statistic():
    logits = torch.tensor([[0.1, 1.0], [0.2, 1.1], [0.0, 0.9]], dtype=torch.float64)
    shares = [sparsestmax(logits, torch.tensor(radius, dtype=torch.float64)) for radius in (0, 0.3, 0.6, 0.82, 1)]
    largest = torch.stack([share.max(0).values for share in shares])
    assert (largest.diff(dim=0) >= -1e-12).all()
    torch.testing.assert_close(shares[-1], torch.tensor([[0, 0], [1, 1], [0, 0]], dtype=torch.float64))


def test_gradient():
    logits = torch.tensor([[0.4, 1.0], [0.2, 1.3], [0.0, 0.9]], dtype=torch.float64, requires_grad=True)
    for radius in (0.0, 0.2, 0.5, 0.7):
        assert torch.autograd.gradcheck(sparsestmax, (logits, torch.tensor(radius, dtype=torch.float64)))


def _favouring(mean, var):
    layer = SparseSwitchNorm2d(4)
    with torch.no_grad():
        layer.mean_weight.copy_(torch.tensor(mean))
        layer.var_weight.copy_(torch.tensor(var))
    return layer


def test_frozen_layers_compute_only_what_they_use():
    layer = _favouring([1.0, 0.8, 0.9], [0.9, 0.8, 1.0])
    x = torch.randn(2, 4, 5, 5)
    assert set_sparse_radius(layer, 0.5) == 0
    assert set_sparse_radius(layer, 1.0, freeze=False) == 0
    expected = layer(x)
    assert set_sparse_radius(layer, 1.0) == 1
    assert layer.mixture()[0] == ("in", "bn")
    torch.testing.assert_close(layer(x), expected)
    assert norm_shares(layer)[""] == {
        "mean": {"in": 1.0, "ln": 0.0, "bn": 0.0},
        "var": {"in": 0.0, "ln": 0.0, "bn": 1.0},
    }
    layer(x).square().sum().backward()
    assert torch.equal(layer.mean_weight.grad, torch.zeros(3))  # there, so that DDP need not search for it


def test_a_moment_that_is_fixed_alone_stays_so_and_the_other_follows_the_formula():
    layer = _favouring([1.0, 0.2, 0.0], [0.5, 0.4, 0.1]).double()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    layer.mean_weight.grad = torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64)
    optimizer.step()  # a momentum away from the first statistic
    with torch.no_grad():
        layer.mean_weight.copy_(torch.tensor([1.5, 0.2, 0.0]))
    assert set_sparse_radius(layer, 0.3) == 0
    assert (layer.mean_fixed, layer.var_fixed) == (1, 0)
    for step in range(5):
        x, grad = torch.randn(2, 2, 4, 5, 5, dtype=torch.float64)
        var_weight = layer.var_weight.detach().clone().requires_grad_()
        mean_share = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
        var_share = sparsestmax(var_weight[:, None], layer.radius.double())[:, 0]
        expected, *_ = reference.switch_norm(x, mean_share, var_share, layer.weight, layer.bias, eps=layer.eps)
        found = layer(x)
        torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)
        optimizer.zero_grad()
        expected.backward(grad)
        optimizer.zero_grad()
        found.backward(grad)
        torch.testing.assert_close(layer.var_weight.grad, var_weight.grad, atol=1e-10, rtol=1e-10)
        assert torch.equal(layer.mean_weight.grad, torch.zeros(3, dtype=torch.float64))
        optimizer.step()
        loaded = SparseSwitchNorm2d(4)
        loaded.load_state_dict(layer.state_dict())
        for each in (layer, copy.deepcopy(layer), loaded):
            assert norm_shares(each)[""]["mean"] == {"in": 1.0, "ln": 0.0, "bn": 0.0}, step
    set_sparse_radius(layer, 1.0)
    assert layer.mixture()[0][0] == "in"


def test_evaluation_never_freezes():
    """2018's inference could overwrite parameters."""
    layer = _favouring([3.0, 0.0, 0.0], [3.0, 0.0, 0.0]).eval()
    before = copy.deepcopy(layer.state_dict())
    layer(torch.randn(2, 4, 5, 5))
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_frozen_layers_survive_files_and_copies():
    layer = _favouring([3.0, 0.0, 0.0], [0.0, 3.0, 0.0])
    set_sparse_radius(layer, 1.0)
    x = torch.randn(2, 4, 5, 5)
    loaded = SparseSwitchNorm2d(4)
    state = layer.state_dict()
    for name in ("radius", "mean_fixed", "var_fixed"):
        state[name] = state[name].reshape(1)  # their shape in 2018
    loaded.load_state_dict(state)
    for other in (loaded, copy.deepcopy(layer)):
        assert other.mixture()[0] == ("in", "ln")
        assert torch.equal(other(x), layer(x))


def test_buffers_that_others_write_count_once_it_is_put_into_evaluation_mode():
    layer, x = _favouring([3.0, 0.0, 0.0], [0.0, 3.0, 0.0]), torch.randn(2, 4, 5, 5)
    average = AveragedModel(layer)
    set_sparse_radius(layer, 1.0)
    average.update_parameters(layer)  # copies weights and buffers, and knows nothing else
    assert average.module.train().fixed == (False, False)
    assert average.module.eval().fixed == (True, True)
    assert average.module.mixture()[0] == ("in", "ln")
    assert torch.equal(average.module(x), layer.eval()(x))
    unfreeze_sparse(layer)
    average.update_parameters(layer)
    assert average.module.eval().fixed == (False, False)


@pytest.mark.parametrize("assign", [True, False])
def test_frozen_layers_come_from_files_to_layers_without_memory(assign):
    layer = _favouring([3.0, 0.0, 0.0], [0.0, 3.0, 0.0])
    set_sparse_radius(layer, 1.0)
    loaded = SparseSwitchNorm2d(4, device="meta")
    loaded.reset_parameters()
    if not assign:
        loaded.to_empty(device="cpu")
    loaded.load_state_dict(layer.state_dict(), assign=assign)
    x = torch.randn(2, 4, 5, 5)
    assert loaded.mixture()[0] == ("in", "ln")
    assert torch.equal(loaded(x), layer(x))


def test_a_file_that_finds_no_memory_changes_nothing():
    """What FSDP and accelerate do: load on "meta", where torch does nothing, make room, and load again."""
    layer = _favouring([3.0, 0.0, 0.0], [0.0, 3.0, 0.0])
    set_sparse_radius(layer, 1.0)
    loaded = SparseSwitchNorm2d(4, device="meta")
    with pytest.warns(UserWarning, match="meta parameter"):
        loaded.load_state_dict(layer.state_dict())
    assert loaded.fixed == (False, False)
    loaded.to_empty(device="cpu").load_state_dict(layer.state_dict())
    assert loaded.fixed == (True, True)


def test_dense_files_start_a_sparse_layer_without_memory():
    dense = SwitchNorm2d(4).state_dict()
    layer = SparseSwitchNorm2d(4, device="meta")
    layer.load_state_dict(dense, assign=True)
    assert {name: buffer.device.type for name, buffer in layer.named_buffers()} == dict.fromkeys(
        dict(layer.named_buffers()), "cpu"
    )
    assert (layer.radius, *layer.fixed) == (0, False, False)


def test_dense_files_start_a_sparse_layer():
    layer = _favouring([3.0, 0.0, 0.0], [3.0, 0.0, 0.0])
    set_sparse_radius(layer, 1.0)
    layer.load_state_dict(SwitchNorm2d(4).state_dict())
    assert layer.mixture()[0] == ("in", "ln", "bn")
    assert layer.radius == 0


def test_unfreezing_starts_a_fine_tuning():
    layer = _favouring([3.0, 0.0, 0.0], [3.0, 0.0, 0.0])
    set_sparse_radius(layer, 1.0)
    unfreeze_sparse(layer, radius=0.1)
    assert layer.mixture()[0] == ("in", "ln", "bn")
    torch.testing.assert_close(layer.mixture()[1], torch.full((3, 2), 1 / 3))
    layer(torch.randn(2, 4, 5, 5)).square().mean().backward()
    assert layer.mean_weight.grad.isfinite().all()


def test_radius_has_limits():
    with pytest.raises(ValueError, match=r"from 0 \(a mixture\) to 1"):
        set_sparse_radius(SparseSwitchNorm2d(4), 1.5)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [(SparseSwitchNorm1d, (3, 4)), (SparseSwitchNorm1d, (3, 4, 5)), (SparseSwitchNorm3d, (2, 4, 3, 2, 2))],
)
def test_gradcheck(kind, shape):
    layer = kind(4, dtype=torch.float64, eps=0.1)
    layer.radius.fill_(0.3)
    with torch.no_grad():
        layer.mean_weight.copy_(torch.tensor([0.1, 0.3, 0.0]))
        layer.var_weight.copy_(torch.tensor([0.9, 0.3, 0.0]))

    def function(x, mean_weight, var_weight):
        replaced = {"mean_weight": mean_weight, "var_weight": var_weight}
        return torch.func.functional_call(layer, replaced, (x,))

    inputs = [torch.randn(shape, dtype=torch.float64), layer.mean_weight.detach(), layer.var_weight.detach()]
    assert torch.autograd.gradcheck(function, [tensor.clone().requires_grad_() for tensor in inputs])
