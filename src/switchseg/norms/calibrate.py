"""Running statistics from a plain average over given batches, instead of a moving one over the training's last."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.instancenorm import _InstanceNorm

# What a layer keeps whose running statistics can be measured anew; a frozen one counts no batches.
_RUNNING = {"running_mean", "running_var", "num_batches_tracked"}


@torch.no_grad()
def calibrate(model: nn.Module, batches: Iterable[Any], forward: Callable[[Any], Any] | None = None) -> int:
    """Set the running statistics of `model` to those of `batches`, all weighted alike.

    The mean is the average of the batch means; the variance also holds the spread of those means, as if all batches
    were one. Everything but the norms runs in evaluation mode; the modes are as before afterwards.

    Args:
        model: has layers with running statistics, named and averaged as those of `nn.BatchNorm2d` are.
        batches: what is passed to `forward`, one after the other; a few hundred of the training's size are enough.
        forward: runs the model on a batch, `model` itself if left out.

    Returns:
        The number of batches.

    Raises:
        ValueError: there are no batches. The statistics are then as they were.
    """
    layers: list[Any] = [module for module in model.modules() if _tracks(module)]
    modes = {module: module.training for module in model.modules()}
    momenta = [layer.momentum for layer in layers]
    before = [{name: buffer.clone() for name, buffer in layer.named_buffers(recurse=False)} for layer in layers]
    averages: list[list[Tensor]] = [[] for _ in layers]
    count = 0
    model.eval()
    try:
        for layer in layers:
            # Not by `train()`, which reaches what a norm holds: timm's may hold dropout, and its activation.
            layer.training = True
            # None averages evenly: a layer that is called twice in a batch keeps the average of both calls.
            layer.momentum = None
        for batch in batches:
            for layer in layers:
                # With the count at 0 the next batch replaces the running statistics, whatever they were.
                layer.get_buffer("num_batches_tracked").zero_()
            (model if forward is None else forward)(batch)
            count += 1
            for layer, average in zip(layers, averages, strict=True):
                _add(average, layer)
    except BaseException:
        averages = [[] for _ in layers]  # what only some of the batches say is nothing to keep
        raise
    finally:
        for module, mode in modes.items():
            module.training = mode
        for layer, momentum, saved, average in zip(layers, momenta, before, averages, strict=True):
            layer.momentum = momentum
            _finish(layer, saved, average)
    if not count:
        raise ValueError("calibration needs at least one batch")
    return count


def _tracks(module: nn.Module) -> bool:
    # InstanceNorm has a count that it never raises; in training mode it would only hide its running statistics.
    if isinstance(module, _InstanceNorm):
        return False
    return dict(module.named_buffers(recurse=False)).keys() >= _RUNNING and hasattr(module, "momentum")


def _add(average: list[Tensor], layer: nn.Module) -> None:
    """Collect [batches, sum of means, sum of second moments], in float64, of a layer that this batch went through."""
    # Still 0: the batch took a way that leaves this layer out.
    if not layer.get_buffer("num_batches_tracked"):
        return
    names = ("running_mean", "running_var")
    # In float64, since `_finish` subtracts squares, which cancel.
    mean, var = (layer.get_buffer(name).to(torch.float64, copy=True) for name in names)
    new = [torch.ones_like(mean), mean, var, mean * mean]
    average[:] = [old + addend for old, addend in zip(average, new, strict=True)] if average else new


def _finish(layer: nn.Module, saved: dict[str, Tensor], average: list[Tensor]) -> None:
    # All buffers go back first: a layer that saw no batch keeps what it had.
    for name, buffer in saved.items():
        layer.get_buffer(name).copy_(buffer)
    if average:
        count, mean, var, squares = average
        mean = mean / count
        layer.get_buffer("running_mean").copy_(mean)
        layer.get_buffer("running_var").copy_(var / count + (squares / count - mean * mean).clamp(min=0))
        layer.get_buffer("num_batches_tracked").fill_(int(count[0]))
