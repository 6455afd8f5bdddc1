"""`switch_norm` as a function: what it takes, what it returns, and what it refuses."""

import re

import pytest
import torch

from switchseg.norms import functional
from tests.norms.cases import CPU_BACKENDS, arguments

EVERY = ["reference", *CPU_BACKENDS]


def test_an_unknown_activation_is_refused():
    with pytest.raises(ValueError, match="unknown activation 'gelu'; it may be one of"):
        functional.switch_norm(**arguments((2, 3, 4, 4), ("in",)), statistics=("in",), activation="gelu")


@pytest.mark.parametrize("backend", ["auto", *EVERY])
@pytest.mark.parametrize("evaluation", [False, True])
@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 3, 0, 4), (2, 0, 4, 4), (0, 3), (2, 0)])
def test_an_input_without_elements_is_refused_as_by_the_layers(shape, evaluation, backend):
    values = arguments(shape, ("in", "ln", "bn"), evaluation=evaluation)
    with pytest.raises(ValueError, match=f"one element per channel is needed, got shape {re.escape(str(shape))}"):
        functional.switch_norm(**values, backend=backend)


@pytest.mark.parametrize("backend", EVERY)
def test_logits_are_shares_before_their_softmax(backend):
    values = arguments((2, 3, 4, 4), ("in", "ln", "bn"))
    logits = values.pop("shares").log()
    by_logits = functional.switch_norm(shares=(logits[:, 0], logits[:, 1]), **values, backend=backend)
    by_shares = functional.switch_norm(shares=logits.exp(), **values, backend=backend)
    for one, other in zip(by_logits, by_shares, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("backend", EVERY)
def test_moments_of_the_batch_are_returned_if_they_were_mixed(backend):
    values = arguments((3, 4, 5, 5), ("in", "bn"))
    _, batch = functional.switch_norm(**values, statistics=("in", "bn"), backend=backend)
    torch.testing.assert_close(batch[0], values["x"].mean((0, 2, 3)))
    without = arguments((3, 4, 5, 5), ("in", "ln"))
    assert functional.switch_norm(**without, statistics=("in", "ln"), backend=backend)[1].shape == (2, 0)


@pytest.mark.parametrize("backend", EVERY)
def test_a_residual_is_added_before_the_activation(backend):
    values = arguments((2, 3, 4, 4), ("in", "ln", "bn"), residual=True)
    residual = values.pop("residual")
    plain, _ = functional.switch_norm(**values, backend=backend)
    found, _ = functional.switch_norm(**values, residual=residual, activation="relu", backend=backend)
    torch.testing.assert_close(found, (plain + residual).relu())


@pytest.mark.parametrize("backend", EVERY)
def test_integers_and_unknown_statistics_are_refused(backend):
    values = arguments((2, 3, 4, 4), ("in", "bn"))
    with pytest.raises(ValueError, match=r"statistics must be some of \('in', 'ln', 'bn'\), in that order, got"):
        functional.switch_norm(**values, statistics=("in", "xx"), backend=backend)
    with pytest.raises(ValueError, match=r"a floating point type is needed, got torch\.int64"):
        functional.switch_norm(**values | {"x": values["x"].long()}, statistics=("in", "bn"), backend=backend)


@pytest.mark.parametrize("backend", EVERY)
def test_small_tensors_of_another_size_are_refused(backend):
    values = arguments((2, 3, 4, 4), ("in", "ln", "bn")) | {"weight": torch.ones(4, dtype=torch.float64)}
    with pytest.raises(ValueError, match=r"weight must be of shape \(3,\) on cpu, got \(4,\)"):
        functional.switch_norm(**values, backend=backend)
