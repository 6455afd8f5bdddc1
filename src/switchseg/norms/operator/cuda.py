"""The operator on CUDA tensors: launches the Triton kernels that `plans` puts together, and waits for nothing."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from switchseg.norms import torch_private
from switchseg.norms.collective import gather_gradient, gather_moments
from switchseg.norms.operator.call import Gradients, Inputs, Kept, Options, Saved, gradients_like
from switchseg.norms.operator.cut import Cut
from switchseg.norms.operator.layout import laid_out_like, strided_like
from switchseg.norms.operator.mixing import merge_images

name = "cuda"
# Backward works out again where a ReLU let values pass, from the input, which it reads anyway.
keeps_output = False

_TYPES = (torch.float32, torch.bfloat16, torch.float16)


def obstacle(dtype: torch.dtype) -> str:
    """Say what keeps the kernels from taking inputs of `dtype`, "" if nothing does."""
    if dtype not in _TYPES:
        return f"there are no kernels for {dtype} on CUDA"
    return "" if find_spec("triton") is not None else "the kernels for CUDA need triton"


def forward(inputs: Inputs, options: Options) -> tuple[Tensor, Tensor]:
    """Compute the output and what is kept, see `call.Backend`; with a group the caller moves the running statistics."""
    x, device = inputs.x, inputs.x.device
    if inputs.residual is not None:
        inputs = inputs._replace(residual=laid_out_like(x, inputs.residual))
    if options.group:
        # The first launches take the moments; in the second, those of all processes stand in for the running ones.
        inputs = inputs._replace(running_mean=None, running_var=None)
    absent = tuple([each is None for each in inputs])
    plan = _plans().plan_forward(device, x.dtype, x.shape, x.is_contiguous(), absent, options)
    cut = plan.cut
    y = torch.empty_like(x)
    few = inputs.mean_mix.new_empty
    kept, partial = few(Kept.size(cut.images, cut.channels)), few(cut.room)
    _launch(plan.first, device, *inputs, y, kept, partial)
    if plan.second is not None:
        moments = Kept(kept, cut.images, cut.channels).moments
        batch = gather_moments(merge_images(moments), cut.images * cut.length, options.group)[0]
        # Clones begin where memory is aligned; the variances within `batch` need not, which the launches would refuse.
        inputs = inputs._replace(running_mean=batch[0].clone(), running_var=batch[1].clone())
        _launch(plan.second, device, *inputs, y, kept, partial)
    return y, kept


def backward(grad: Tensor, saved: Saved, options: Options) -> Gradients:
    """Compute the gradients, see `call.Backend`."""
    x, y, weight, bias, kept, _, with_bias = saved
    grad, device = strided_like(x, grad), x.device
    absent = (y is None, weight is None, bias is None, not with_bias)
    plan = _plans().plan_backward(device, x.dtype, x.shape, x.is_contiguous(), absent, options)
    cut = plan.cut
    masked = None if y is None else torch.empty_like(x)
    found = gradients_like(saved, options, grad, masked)
    partial = kept.new_empty(cut.room)
    tensors = (grad, x, y, weight, bias, kept, partial, found.x, masked, *found[2:])
    _launch(plan.first, device, *tensors)
    if plan.second is not None:
        batch = _batch_gradient(kept, partial, weight, cut, options)
        batch = gather_gradient(batch, cut.images * cut.length, options.group).contiguous()
        _launch(plan.second, device, *tensors, batch)
    return found


@lru_cache(maxsize=1)
def _plans() -> Any:
    return import_module("switchseg.norms.operator.plans")  # needs triton


def _launch(sequence: Any, device: torch.device, *tensors: Tensor | None) -> None:
    addresses = [tensor.data_ptr() for tensor in tensors if tensor is not None]
    # A kernel that reads there fails later, in some other call, and takes the device's context with it.
    if 0 in addresses:
        raise RuntimeError("a tensor of a SwitchNorm has no memory: its storage was freed")
    sequence(0 if device.index is None else torch_private.current_stream(device.index), *addresses)


def _batch_gradient(kept: Tensor, partial: Tensor, weight: Tensor | None, cut: Cut, options: Options) -> Tensor:
    """Return this process's gradient (2, 1, C) of the BN moments, from the sums of its maps."""
    # What `gradient` works out by itself where no other process shares the moments.
    numbers = Kept(kept, cut.images, cut.channels)
    rows = cut.images * cut.channels
    total, products = partial[cut.spans * 2 * rows :][: 2 * rows].view(2, cut.images, cut.channels)
    scale = numbers.rstd if weight is None else numbers.rstd * weight
    gradient = torch.stack([-scale * total, -0.5 * scale * numbers.rstd * products]).sum(1, keepdim=True)
    return gradient * numbers.shares[options.row_of("bn")].view(2, 1, 1)
