"""Batch moments over a group, here of one process; several are in test_synced.py."""

import torch

from switchseg.norms import collective


def test_nobody_else_needs_no_name(group):
    assert collective.name_group() == ""


def test_without_processes_there_is_no_group():
    assert collective.name_group() == ""


def test_alone_the_moments_stay_as_they_are():
    mean, var = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])
    found = collective.combine_moments(mean, var, 7, "")
    assert found[0] is mean
    assert found[1] is var
    assert found[2] == 7


def test_what_is_gathered_from_one_process_is_its_own(group):
    moments = torch.randn(2, 1, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).square()
    merged, total = collective.gather_moments(moments, 6, group)
    torch.testing.assert_close(merged, moments)
    assert total == 6
    torch.testing.assert_close(collective.gather_gradient(moments, 6, group), moments)


def test_the_gradient_passes_the_group(group):
    mean, var = (torch.rand(3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda m, v: collective.combine_moments(m, v, 4, group)[:2], (mean, var))
