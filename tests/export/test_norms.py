"""Norms with fixed shares return what the layers return that they were made of."""

import pytest
import torch
from torch import nn

from switchseg.export.norms import FixedMixture, fix_mixtures
from switchseg.norms import SparseSwitchNorm2d, SwitchNorm1d, SwitchNorm2d, SyncSwitchNorm2d
from tests.norms.cases import SUBSETS


def scrambled(norm: nn.Module) -> nn.Module:
    for tensor in (*norm.parameters(), *norm.buffers()):
        if tensor.is_floating_point():
            with torch.no_grad():
                tensor += torch.rand_like(tensor)
    return norm.double().eval()


def assert_same(norm: nn.Module, *inputs: torch.Tensor) -> FixedMixture:
    model = nn.ModuleDict({"norm": norm})
    fix_mixtures(model)
    fixed = model["norm"]
    assert isinstance(fixed, FixedMixture)
    torch.testing.assert_close(fixed(*inputs), norm(*inputs), rtol=1e-12, atol=1e-12)
    return fixed


@pytest.mark.parametrize("statistics", SUBSETS, ids="+".join)
@pytest.mark.parametrize("kind", [SwitchNorm2d, SyncSwitchNorm2d])
def test_every_mixture(kind, statistics):
    x, residual = torch.randn(2, 2, 6, 5, 4, dtype=torch.float64)
    fixed = assert_same(scrambled(kind(6, statistics=statistics, activation="relu")), x, residual)
    assert fixed.statistics == tuple(statistics)


@pytest.mark.parametrize("statistics", SUBSETS, ids="+".join)
def test_inputs_without_maps(statistics):
    norm = scrambled(SwitchNorm1d(6, statistics=statistics, affine=False))
    with torch.no_grad():
        norm.mean_weight[0] = norm.var_weight[0] = -1e9
    assert_same(norm, torch.randn(4, 6, dtype=torch.float64))


def test_a_sparse_layer_keeps_what_has_a_share():
    norm = scrambled(SparseSwitchNorm2d(6))
    norm.radius.zero_()
    norm.mean_weight.data = torch.tensor([3.0, 0.0, 0.0], dtype=torch.float64)
    norm.var_weight.data = torch.tensor([0.3, 0.0, 0.1], dtype=torch.float64)
    x = torch.randn(2, 6, 3, 3, dtype=torch.float64)
    assert assert_same(norm, x).statistics == ("in", "ln", "bn")
    norm.var_weight.data = torch.tensor([0.5, -0.5, 0.3], dtype=torch.float64)
    assert assert_same(norm, x).statistics == ("in", "bn")
    norm.radius.fill_(1)
    norm.freeze()
    assert assert_same(norm, x).statistics == ("in",)


def test_without_running_statistics_those_of_the_batch_are_used():
    norm = scrambled(SwitchNorm2d(6))
    norm.running_mean = norm.running_var = None
    assert_same(norm, torch.randn(2, 6, 3, 3, dtype=torch.float64))


def test_one_norm_with_two_names_remains_one_and_one_with_a_hook_remains_itself():
    shared, hooked = SwitchNorm2d(6), SwitchNorm2d(6)
    hooked.register_forward_hook(lambda module, inputs, output: 2 * output)
    model = nn.Sequential(shared, nn.Sequential(shared, hooked)).eval()
    fix_mixtures(model)
    assert model[0] is model[1][0]
    assert isinstance(model[0], FixedMixture)
    assert model[1][1] is hooked


def test_shares_are_not_traced():
    model = nn.Sequential(SparseSwitchNorm2d(6)).eval()
    example = (torch.randn(2, 6, 4, 4),)
    before = torch.export.export(model, example).graph.nodes
    fix_mixtures(model)
    after = torch.export.export(model, example).graph.nodes
    assert len(after) < len(before) / 2
