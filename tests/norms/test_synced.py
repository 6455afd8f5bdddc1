"""The synchronised layers in real processes (gloo) against one process that sees the whole batch."""

import copy
import warnings

import pytest
import torch
import torch.distributed as dist
from torch import nn

from switchseg.norms import (
    SparseSwitchNorm2d,
    SwitchNorm1d,
    SwitchNorm2d,
    SyncBatchNorm,
    SyncSparseSwitchNorm2d,
    SyncSwitchNorm1d,
    SyncSwitchNorm2d,
    reference,
)
from tests.norms.cases import CPU_BACKENDS

CHANNELS = 3


def _in_processes(function, ranks, tmp_path):
    torch.multiprocessing.spawn(_start, (ranks, str(tmp_path / "store"), function), nprocs=ranks)


def _start(rank, ranks, store, function):
    torch.set_num_threads(1)
    warnings.simplefilter("error")
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=ranks)
    try:
        function(rank, ranks)
    finally:
        dist.destroy_process_group()


def _randomized(layer):
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    return layer


def _close(found, expected):
    torch.testing.assert_close(found, expected, atol=1e-12, rtol=1e-12)


def _check_layers(rank, ranks):
    """Batches of 1, 2, 3 ... images: outputs, gradients and running statistics are those of all images together."""
    torch.manual_seed(0)
    counts = [1 + index for index in range(ranks)]
    pairs = [
        (SyncSwitchNorm2d, SwitchNorm2d, {"statistics": statistics, "backend": backend})
        for statistics in (("in", "ln", "bn"), ("bn",))
        for backend in (*CPU_BACKENDS, "reference")
    ]
    pairs += [
        (SyncSparseSwitchNorm2d, SparseSwitchNorm2d, {}),
        (SyncBatchNorm, nn.BatchNorm2d, {}),
        (SyncBatchNorm, nn.BatchNorm2d, {"affine": False, "momentum": None}),
    ]
    for synced_kind, plain_kind, options in pairs:
        whole = torch.randn(sum(counts), CHANNELS, 4, 5, dtype=torch.float64)
        grad = torch.randn_like(whole)
        plain = _randomized(plain_kind(CHANNELS, dtype=torch.float64, **options))
        synced = _randomized(synced_kind(CHANNELS, dtype=torch.float64, **options))
        for _ in range(2):  # the second step moves the running statistics differently from the first
            plain.zero_grad()
            synced.zero_grad()
            x = whole.clone().requires_grad_()
            y = plain(x)
            y.backward(grad)
            own_x = whole.split(counts)[rank].clone().requires_grad_()
            own_y = synced(own_x)
            own_y.backward(grad.split(counts)[rank])
        _close(own_y, y.split(counts)[rank])
        _close(own_x.grad, x.grad.split(counts)[rank])
        for parameter, local in zip(plain.parameters(), synced.parameters(), strict=True):
            total = local.grad.clone()  # gradients of parameters stay local: together they are the whole
            dist.all_reduce(total)
            _close(total, parameter.grad)
        for name, buffer in plain.named_buffers():
            _close(synced.get_buffer(name), buffer)
        _close(synced.eval()(own_x), plain.eval()(x).split(counts)[rank])
    with pytest.raises(ValueError, match="needs at least one element per channel"):
        SyncBatchNorm(CHANNELS)(torch.empty(0, CHANNELS, 4, 5))
    _check_unequal_sizes(rank, ranks)
    _check_ddp(rank, ranks)
    _check_1d(rank, ranks)


def _check_unequal_sizes(rank, ranks):
    """Ranks see maps of different sizes: every element counts once."""
    torch.manual_seed(1)
    batches = [torch.randn(1 + index % 2, CHANNELS, 3 + index, 4, dtype=torch.float64) for index in range(ranks)]
    grads = [torch.randn_like(batch) for batch in batches]
    inputs = [batch.clone().requires_grad_() for batch in batches]
    shares = torch.full((3,), 1 / 3, dtype=torch.float64)
    moments = [reference.instance_moments(x.flatten(2)) for x in inputs]
    weights = torch.cat([torch.full((len(x),), x[0, 0].numel(), dtype=torch.float64) for x in inputs])
    weights = (weights / weights.sum())[:, None]
    mean, var = (torch.cat(parts) for parts in zip(*moments, strict=True))
    common = (weights * mean).sum(0)
    common_var = (weights * (var + (mean - common).square())).sum(0)
    outputs = [reference.switch_norm(x, shares, shares, combine=lambda *_: (common, common_var))[0] for x in inputs]
    torch.autograd.backward(outputs, grads)
    for backend in (*CPU_BACKENDS, "reference"):
        layer = SyncSwitchNorm2d(CHANNELS, affine=False, dtype=torch.float64, backend=backend)
        x = batches[rank].clone().requires_grad_()
        y = layer(x)
        y.backward(grads[rank])
        _close(y, outputs[rank])
        _close(x.grad, inputs[rank].grad)
        _close(layer.running_var, common_var)


def _check_1d(rank, ranks):
    torch.manual_seed(2)
    whole = torch.randn(3 * ranks, CHANNELS, dtype=torch.float64)
    plain = SwitchNorm1d(CHANNELS, dtype=torch.float64)
    synced = SyncSwitchNorm1d(CHANNELS, dtype=torch.float64)
    _close(synced(whole.chunk(ranks)[rank]), plain(whole).chunk(ranks)[rank])


def _check_ddp(rank, ranks):
    """2018 multiplied these gradients by the number of processes."""
    torch.manual_seed(3)
    whole = torch.randn(2 * ranks, 3, 6, 6, dtype=torch.float64)
    plain = nn.Sequential(nn.Conv2d(3, CHANNELS, 3), SwitchNorm2d(CHANNELS), nn.ReLU(inplace=True)).double()
    synced = nn.Sequential(copy.deepcopy(plain[0]), SyncSwitchNorm2d(CHANNELS), nn.ReLU(inplace=True)).double()
    model = nn.parallel.DistributedDataParallel(synced)
    plain(whole).square().mean().backward()
    model(whole.chunk(ranks)[rank]).square().mean().backward()
    for parameter, averaged in zip(plain.parameters(), synced.parameters(), strict=True):
        _close(averaged.grad, parameter.grad)


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_equal_one_process(ranks, tmp_path):
    _in_processes(_check_layers, ranks, tmp_path)


def test_alone_needs_no_process_group():
    assert not dist.is_initialized()
    x = torch.randn(2, CHANNELS, 4, 4)
    assert torch.equal(SyncSwitchNorm2d(CHANNELS)(x), SwitchNorm2d(CHANNELS)(x))
    assert torch.equal(SyncBatchNorm(CHANNELS)(x), nn.BatchNorm2d(CHANNELS)(x))


class _Unasked(SyncSparseSwitchNorm2d):
    def _group(self):
        raise AssertionError("batch moments alone are shared")


def test_layers_without_batch_statistics_ask_nobody():
    x = torch.randn(2, CHANNELS, 4, 5)
    frozen = _Unasked(CHANNELS)
    with torch.no_grad():
        frozen.mean_weight[0] = frozen.var_weight[1] = 3
    frozen.freeze()
    for layer in (frozen, _Unasked(CHANNELS, statistics=("in", "ln"))):
        layer(x).sum().backward()
    with pytest.raises(AssertionError, match="alone are shared"):
        _Unasked(CHANNELS)(x)
