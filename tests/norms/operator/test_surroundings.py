"""What torch and others do around a layer: what it computes by a backend stays what it computes by the formula."""

import copy
import multiprocessing
import pickle
from threading import Thread

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, set_checkpoint_early_stop

from switchseg.norms import SwitchNorm2d
from tests.norms.cases import CPU_BACKENDS

SHAPE = (3, 5, 7, 6)


def values(seed: int, device: torch.device | str = "cpu") -> torch.Tensor:
    return (torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed)) + 2).to(device)


def layer(backend: str, device: str) -> SwitchNorm2d:
    norm = SwitchNorm2d(5, activation="relu", backend=backend)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return norm.to(device)


def pass_through(norm, call=None, change_x=None, change_grad=None):
    """Run a layer forward and backward, `call` in its place; return all that comes of it."""
    device = norm.weight.device
    x, residual, grad = (values(seed, device) for seed in (1, 2, 3))
    inputs = [x if change_x is None else change_x(x), residual]
    for each in inputs:
        each.requires_grad_()
    y = norm(*inputs) if call is None else call(norm, *inputs)
    y.backward(grad if change_grad is None else change_grad(grad))
    return [y.detach(), *[leaf.grad for leaf in [*inputs, *norm.parameters()]], *norm.buffers()]


def recomputed(norm, *inputs, **how):
    # To the end: the formula moves the running statistics after all that backward needs.
    with set_checkpoint_early_stop(False):
        return checkpoint(norm, *[each * 1 for each in inputs], **how)


def offloaded(norm, *inputs):
    with torch.autograd.graph.save_on_cpu():
        return norm(*inputs)


def packed(norm, *inputs):
    with torch.autograd.graph.saved_tensors_hooks(
        lambda kept: (kept.cpu().numpy().copy(), kept.device), lambda found: torch.from_numpy(found[0]).to(found[1])
    ):
        return norm(*inputs)


def with_other_data(norm, *inputs):
    y = norm(*inputs)
    norm.weight.data = norm.weight.data.clone()
    return y


def under_other_defaults(norm, *inputs):
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            return norm(*inputs)
    finally:
        torch.set_default_dtype(torch.float32)


def again(norm, *inputs):
    with torch.inference_mode():
        norm(*inputs)
    return norm(*inputs)


CALLS = {
    "checkpoint": lambda norm, *inputs: recomputed(norm, *inputs, use_reentrant=False),
    "reentrant checkpoint": lambda norm, *inputs: recomputed(norm, *inputs, use_reentrant=True),
    "saved on the CPU": offloaded,
    "saved elsewhere": packed,
    "other data of equal form": with_other_data,
    "other defaults": under_other_defaults,
    "after inference": again,
    "residual is the input": lambda norm, x, residual: norm(x, x) + 0 * residual,
    "rectified in place before": lambda norm, x, residual: norm(torch.relu_(x * 1), residual),
    "gradient of another type": lambda norm, *inputs: norm(*inputs).double().float(),
}


ON_DEVICE = pytest.param(
    "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"), id="device"
)


@pytest.fixture(params=[*CPU_BACKENDS, ON_DEVICE])
def pair(request):
    """Return a layer by a backend, and the same by the formula."""
    device = "cuda" if request.param == "cuda" else "cpu"
    return layer(request.param, device), layer("reference", device)


def assert_equal(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_around_a_call(pair, call):
    assert_equal(*[pass_through(norm, call) for norm in pair])


def moved(x):
    """Return `x` in memory from which vectors of several numbers cannot be loaded."""
    found = torch.cat([x.new_zeros(1), x.flatten()])[1:].view(x.shape)
    assert found.data_ptr() % 16
    return found


CHANGES = {
    "begins anywhere": moved,
    "negated": torch._neg_view,
    "other strides": lambda x: x.transpose(2, 3).contiguous().transpose(2, 3),
    "channels_last": lambda x: x.contiguous(memory_format=torch.channels_last),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_maps_as_they_may_lie_in_memory(pair, change):
    assert_equal(*[pass_through(norm, change_x=lambda x: change(x).detach()) for norm in pair])


@pytest.mark.parametrize(
    "change", [*CHANGES.values(), lambda grad: grad[:1, :1, :1, :1].expand(SHAPE)], ids=[*CHANGES, "expanded"]
)
def test_gradients_as_they_may_lie_in_memory(pair, change):
    assert_equal(*[pass_through(norm, change_grad=change) for norm in pair])


@pytest.mark.parametrize("name", ["weight", "bias", "mean_weight", "var_weight"])
def test_one_frozen_parameter(pair, name):
    for norm in pair:
        norm.get_parameter(name).requires_grad_(False)
    assert_equal(*[pass_through(norm) for norm in pair])


class _Ending(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y):
        return y.clone()

    @staticmethod
    def backward(ctx, grad):
        return None


def test_a_gradient_that_does_not_come_is_zero(pair):
    norm, _ = pair
    x = values(1, norm.weight.device).requires_grad_()
    (_Ending.apply(norm(x)) + x).sum().backward()
    torch.testing.assert_close(x.grad, torch.ones_like(x))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda norm: pickle.loads(pickle.dumps(norm))])
def test_copies_of_a_layer_that_has_run(pair, copied):
    found, expected = pair
    for norm in pair:
        norm(values(1, norm.weight.device))
    assert_equal(pass_through(copied(found)), pass_through(expected))


def _run_elsewhere(norm, queue):
    queue.put([each.numpy() for each in pass_through(norm)])


@pytest.mark.slow
def test_a_layer_that_has_run_goes_on_in_another_process(pair):
    found, expected = pair
    if found.weight.is_cuda:
        pytest.skip("tensors on a device go by other ways than those of the layer")
    for norm in pair:
        norm(values(1))
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    process = context.Process(target=_run_elsewhere, args=(found, queue))
    process.start()
    result = [torch.from_numpy(each) for each in queue.get()]
    process.join()
    assert_equal(result, pass_through(expected))


def test_threads_do_not_disturb_each_other(pair):
    found, expected = pair
    copies = [copy.deepcopy(found) for _ in range(4)]
    results = {}

    def work(index):
        results[index] = pass_through(copies[index])

    threads = [Thread(target=work, args=(index,)) for index in range(len(copies))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wanted = pass_through(expected)
    assert len(results) == len(copies)
    for result in results.values():
        assert_equal(result, wanted)


class _Special(nn.Parameter):
    pass


def test_parameters_of_a_subclass(pair):
    for norm in pair:
        norm.weight = _Special(norm.weight.detach())
    assert_equal(*[pass_through(norm) for norm in pair])


def test_a_wider_residual_leaves_the_type_of_the_output(pair):
    for norm in pair:
        x, residual = values(1, norm.weight.device).bfloat16(), values(2, norm.weight.device)
        assert norm(x, residual).dtype == torch.bfloat16


def test_many_gradients_at_once_are_for_the_formula(pair):
    found, expected = pair
    x, *gradients = (values(seed, found.weight.device) for seed in (1, 3, 4))
    x, several = x.requires_grad_(), torch.stack(gradients)
    with pytest.raises(RuntimeError, match='which the backend "reference" alone can take'):
        torch.autograd.grad(found(x), x, several, is_grads_batched=True)
    (grad,) = torch.autograd.grad(expected(x), x, several, is_grads_batched=True)
    assert grad.shape == several.shape
