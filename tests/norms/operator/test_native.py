"""The compiled passes: what they take, and the way that synchronised layers go through them."""

import pytest
import torch

from switchseg.norms import functional
from switchseg.norms.operator import native
from tests.norms.cases import SUBSETS, arguments, assert_same, run

pytestmark = pytest.mark.skipif(native.functions is None, reason="needs what a compiler makes at installation")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_it_takes_the_types_that_it_has_passes_for(dtype):
    assert native.obstacle(dtype) == ""


def test_it_says_which_type_it_has_no_passes_for():
    assert native.obstacle(torch.float16) == "there are no passes for torch.float16"


def test_without_the_library_it_does_not_claim_to_know_why(monkeypatch):
    monkeypatch.setattr(native, "functions", None)
    assert "was not built when the package was installed, or not for this machine" in native.obstacle(torch.float32)


@pytest.mark.parametrize("statistics", [each for each in SUBSETS if "bn" in each])
@pytest.mark.parametrize("channels_last", [False, True])
def test_a_group_is_one_more_way_to_the_same_numbers(group, statistics, channels_last):
    values = arguments((2, 5, 4, 6), statistics, residual=True)
    if channels_last:
        values["x"] = values["x"].contiguous(memory_format=torch.channels_last)
    grad = torch.randn(2, 5, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    options = {"statistics": statistics, "activation": "relu", "backend": "native"}
    assert_same(run(values, grad, group=group, **options), run(values, grad, **options))


def test_a_map_beyond_its_own_size_is_not_read():
    """A view into a larger tensor is copied first: the passes see addresses, not strides."""
    values = arguments((2, 3, 4, 4), ("in", "ln", "bn"))
    wide = torch.full((2, 3, 4, 9), float("nan"), dtype=torch.float64)
    wide[..., 2:6] = values["x"]
    found, _ = functional.switch_norm(**values | {"x": wide[..., 2:6]}, backend="native")
    torch.testing.assert_close(found, functional.switch_norm(**values, backend="reference")[0])
