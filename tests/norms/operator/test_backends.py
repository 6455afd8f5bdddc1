"""Which backend a call runs, and what it says of it."""

import pytest
import torch

from switchseg.norms import resolve_backend
from switchseg.norms.operator import backends, native
from tests.norms.cases import CPU_BACKENDS


def test_the_choice_is_said_with_its_reason():
    x = torch.randn(2, 4, 5, 5)
    found = resolve_backend(x)
    assert found.backend == CPU_BACKENDS[0]
    assert found.reason.startswith("few passes over the input instead of many")
    assert resolve_backend(x, backend="reference") == ("reference", "asked for")
    assert resolve_backend(x, backend="aten") == ("aten", "asked for")
    assert resolve_backend(x.to("meta")) == ("reference", "there is no operator for meta")
    assert resolve_backend(x[:, :, 0, 0]).backend == "reference"


def test_the_next_backend_says_why_it_is_not_the_first():
    backend, reason = resolve_backend(torch.randn(2, 4, 5, 5).half())
    assert backend == "aten"
    if native.functions is not None:
        assert reason.endswith("; not native: there are no passes for torch.float16")


@pytest.mark.parametrize(
    ("backend", "x", "obstacle"),
    [
        ("aten", torch.empty(2, 4, 5, 5, device="meta"), "it takes no inputs on meta"),
        ("cuda", torch.zeros(2, 4, 5, 5), "it takes no inputs on cpu"),
        ("aten", torch.zeros(2, 4), r"\(N, C\) inputs have no maps to read"),
    ],
)
def test_a_backend_that_was_asked_for_and_cannot_is_refused(backend, x, obstacle):
    with pytest.raises(ValueError, match=f"backend '{backend}' does not work here: {obstacle}"):
        resolve_backend(x, backend=backend)


class _Dispatching(torch.Tensor):
    """Like `DTensor`, which answers ATen's calls by itself and knows no others."""

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise NotImplementedError


def test_a_subclass_that_dispatches_is_for_the_formula():
    x = torch.zeros(2, 4, 5, 5).as_subclass(_Dispatching)
    assert resolve_backend(x).backend == "reference"
    with pytest.raises(ValueError, match="a subclass of tensors follows ATen's calls alone"):
        resolve_backend(x, backend="aten")


def test_a_statistic_that_backends_do_not_know_is_for_the_formula():
    backend, reason = resolve_backend(torch.zeros(2, 4, 5, 5), ("in", "halves"))
    assert backend == "reference"
    assert "it has no halves" in reason


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="unknown backend 'fast'; the backends are auto, reference, native"):
        backends.check_backend("fast")
