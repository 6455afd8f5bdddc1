"""The operator on CUDA tensors: launches the Triton kernels that `plans` puts together, and waits for nothing."""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from struct import Struct
from typing import Any

import torch
from torch import Tensor

from switchseg.norms import torch_private
from switchseg.norms.collective import gather_gradient, gather_moments
from switchseg.norms.operator.addresses import Form
from switchseg.norms.operator.call import Gradients, Inputs, Kept, Options, Saved
from switchseg.norms.operator.cut import Cut
from switchseg.norms.operator.mixing import merge_images
from switchseg.norms.operator.plan import Plan, Signature

name = "cuda"
# Backward works out again where a ReLU let values pass, from the input, which it reads anyway.
keeps_output = False

_TYPES = (torch.float32, torch.bfloat16, torch.float16)


def obstacle(dtype: torch.dtype) -> str:
    """Say what keeps the kernels from taking inputs of `dtype`, "" if nothing does."""
    if dtype not in _TYPES:
        return f"there are no kernels for {dtype} on CUDA"
    if find_spec("triton") is None:
        return "the kernels for CUDA need triton"
    return str(import_module("switchseg.norms.operator.plans").obstacle())


def plan(signature: Signature) -> Plan:
    """Return how layers of a signature are computed; see `plan.Backend`."""
    return _InSteps(signature) if signature.options.group else _InOneCall(signature)


class _InOneCall(Plan):
    def __init__(self, signature: Signature) -> None:
        super().__init__(signature, keeps_output, keeps_places=False)
        self._index = signature.device.index
        self._plans = import_module("switchseg.norms.operator.plans")  # needs triton
        self._forward = self._plans.plan_forward(signature)
        self.cut: Cut = self._forward.cut
        room = Form(self.kept.dtype, self.cut.room)
        bias = self.bias if self.keeps_bias else None
        saved = [self.maps, self.maps, self.y, self.weight, bias, self.kept, room]
        self._addresses_of_saved = self.forms([*saved, self.maps, self.masked, *self.learned]).reader(exact=False)

    @cached_property
    def _backward(self) -> Any:
        # When it is asked for: an evaluation compiles half of the kernels.
        return self._plans.plan_backward(self.signature, self.keeps_output, self.keeps_bias)

    def forward(self, inputs: Inputs, addresses: bytes) -> tuple[Tensor, Tensor]:
        y, kept, partial = self._room_forward(inputs)
        addresses += _three(y.data_ptr(), kept.data_ptr(), partial.data_ptr())
        self._forward.first.launch(self._stream(), addresses)
        return y, kept

    def backward(self, grad: Tensor, saved: Saved) -> Gradients:
        found, tensors = self._room_backward(grad, saved)
        addresses = self._addresses_of_saved(tensors)
        if addresses is None:
            return self.backward(*self.laid_out(grad, saved))
        self._backward.first.launch(self._stream(), addresses)
        return found

    def _room_forward(self, inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
        few = inputs.mean_mix.new_empty
        return torch.empty_like(inputs.x), few(self.kept_size), few(self.cut.room)

    def _room_backward(self, grad: Tensor, saved: Saved) -> tuple[Gradients, tuple[Tensor | None, ...]]:
        found = self.room_for_gradients(grad, saved.x, saved.kept)
        masked = None if saved.y is None else found.residual
        partial = saved.kept.new_empty(self.cut.room)
        return found, (grad, *saved, partial, found.x, masked, *found[2:])

    def _stream(self) -> int:
        return 0 if self._index is None else torch_private.current_stream(self._index)


class _InSteps(_InOneCall):
    """With the moments of other processes, which come between two launches."""

    def forward(self, inputs: Inputs, addresses: bytes) -> tuple[Tensor, Tensor]:
        room = self._room_forward(inputs)
        y, kept, _ = room
        inputs = inputs._replace(running_mean=None, running_var=None)
        self._launch(self._forward.first, *inputs, *room)
        moments = Kept(kept, self.cut.images, self.cut.channels).moments
        batch = gather_moments(merge_images(moments), self.cut.images * self.cut.length, self.options.group)[0]
        # Those of all processes stand in for the running ones. Clones begin where memory is aligned; the variances
        # within `batch` need not, which the launches would refuse.
        inputs = inputs._replace(running_mean=batch[0].clone(), running_var=batch[1].clone())
        self._launch(self._forward.second, *inputs, *room)
        return y, kept

    def backward(self, grad: Tensor, saved: Saved) -> Gradients:
        found, tensors = self._room_backward(grad, saved)
        if self._addresses_of_saved(tensors) is None:
            return self.backward(*self.laid_out(grad, saved))
        self._launch(self._backward.first, *tensors)
        kept, partial = tensors[5:7]
        assert kept is not None
        assert partial is not None
        batch = _batch_gradient(kept, partial, saved.weight, self.cut, self.options)
        batch = gather_gradient(batch, self.cut.images * self.cut.length, self.options.group).contiguous()
        self._launch(self._backward.second, *tensors, batch)
        return found

    def _launch(self, sequence: Any, *tensors: Tensor | None) -> None:
        sequence(self._stream(), *[tensor.data_ptr() for tensor in tensors if tensor is not None])


_three = Struct("3Q").pack


def _batch_gradient(kept: Tensor, partial: Tensor, weight: Tensor | None, cut: Cut, options: Options) -> Tensor:
    """Return this process's gradient (2, 1, C) of the BN moments, from the sums of its maps."""
    # What `gradient` works out by itself where no other process shares the moments.
    numbers = Kept(kept, cut.images, cut.channels)
    rows = cut.images * cut.channels
    total, products = partial[cut.spans * 2 * rows :][: 2 * rows].view(2, cut.images, cut.channels)
    scale = numbers.rstd if weight is None else numbers.rstd * weight
    gradient = torch.stack([-scale * total, -0.5 * scale * numbers.rstd * products]).sum(1, keepdim=True)
    return gradient * numbers.shares[options.row_of("bn")].view(2, 1, 1)
