import importlib
import warnings

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.utils._python_dispatch import TorchDispatchMode

from switchseg.norms import torch_private


class Watching(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        return function(*arguments, **(options or {}))


@pytest.fixture
def without(monkeypatch):
    """Return a function that reloads the module as a torch without a name would have it."""

    def reload(owner, name):
        monkeypatch.delattr(owner, name)
        return importlib.reload(torch_private)

    yield reload
    monkeypatch.undo()
    importlib.reload(torch_private)


def test_this_torch_has_all_names():
    assert torch_private.missing == []


def test_is_followed():
    assert not torch_private.is_followed()
    with Watching():
        assert torch_private.is_followed()
    with forward_ad.dual_level():
        assert torch_private.is_followed()
    seen = []
    torch.func.vmap(lambda x: seen.append(torch_private.is_followed()) or x)(torch.zeros(2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tracing is deprecated, by one class or another, but there
        torch.jit.trace(lambda x: seen.append(torch_private.is_followed()) or x + 1, torch.zeros(2), check_trace=False)
    assert seen == [True, True]
    assert not torch_private.is_followed()


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (torch._C, "_len_torch_dispatch_stack"),
        (torch._C, "_is_tracing"),
        (torch._C, "_are_functorch_transforms_active"),
        (forward_ad, "_current_level"),
    ],
)
def test_a_layer_counts_as_followed_where_torch_cannot_tell(without, owner, name):
    reloaded = without(owner, name)
    assert reloaded.missing == [name]
    assert reloaded.is_followed()


def test_softmax_backward_has_a_stand_in(without):
    logits = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)
    shares, grad = logits.softmax(0), torch.randn(3, 2, dtype=torch.float64)
    (expected,) = torch.autograd.grad(shares, logits, grad)
    arguments = (grad, shares.detach(), 0, torch.float64)
    torch.testing.assert_close(torch_private.softmax_backward(*arguments), expected)
    torch.testing.assert_close(without(torch, "_softmax_backward_data").softmax_backward(*arguments), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_current_stream_has_a_stand_in(without):
    with torch.cuda.stream(torch.cuda.Stream()):
        current = torch.cuda.current_stream().cuda_stream
        index = torch.cuda.current_device()
        assert torch_private.current_stream(index) == current
        assert without(torch._C, "_cuda_getCurrentRawStream").current_stream(index) == current


def test_what_a_module_owns():
    norm = nn.BatchNorm2d(3)
    assert torch_private.learned(norm) == dict(norm.named_parameters())
    assert torch_private.tracked(norm) == dict(norm.named_buffers())
