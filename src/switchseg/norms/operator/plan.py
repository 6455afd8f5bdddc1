"""A layer's way forward and back, worked out once for all calls whose tensors differ in nothing but their numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from switchseg.norms.operator.addresses import LIKE_MAPS, Form, Forms
from switchseg.norms.operator.call import Gradients, Inputs, Kept, Options, Saved
from switchseg.norms.operator.layout import in_memory
from switchseg.norms.reference import statistics_dtype


class Absent(NamedTuple):
    """Which of `Inputs` are None."""

    residual: bool
    weight: bool
    bias: bool
    running_mean: bool = True
    running_var: bool = True
    batches: bool = True


class Signature(NamedTuple):
    """What decides how a layer is computed."""

    dtype: torch.dtype
    """Of the maps, like the next three; everything else is of the type of the statistics."""
    shape: torch.Size
    strides: tuple[int, ...]
    device: torch.device
    absent: Absent
    options: Options


class Plan(ABC):
    """How a backend computes all layers of one signature.

    Args:
        signature: Of dense maps.
        keeps_output: Whether the backend reads the output of a ReLU to learn where it let values pass.
        keeps_places: See `Forms`.

    Attributes:
        options: Of the layer.
        keeps_output: Whether backward reads the output.
        keeps_bias: Whether backward reads the bias; if either, then because of a ReLU.
        addresses: Returns where inputs lie, None if backends cannot read all of them where they are; see `Forms`.
        maps: What x is like, and its gradient.
        y: What the output is like, if backward reads it.
        masked: What the residual's gradient is like, if it is not that of the output.
        weight: What the weight is like, and its gradient.
        learned: What the parameters are like, in the order of `Inputs`, and their gradients.
        kept: What is kept.
        saved: What a gradient, x, y, the weight and what is kept are like.
        kept_size: How many numbers.
    """

    def __init__(self, signature: Signature, keeps_output: bool, keeps_places: bool = True) -> None:
        dtype, shape, _, _, absent, options = signature
        residual, weight, bias, mean, var, batches = [not each for each in absent]
        few, count, channels = statistics_dtype(dtype), len(options.statistics), shape[1]
        self.signature, self.options = signature, options
        self.keeps_output, self.keeps_bias = what_a_relu_keeps(keeps_output, options.relu, residual)
        self.kept_size = Kept.size(shape[0], channels)
        self.maps, self.kept = Form(dtype, LIKE_MAPS), Form(few, self.kept_size)
        mix, of_channels = Form(few, count if options.softmax else 2 * count), Form(few, channels)
        self.weight, self.bias = of_channels if weight else None, of_channels if bias else None
        self.learned = [mix, mix if options.softmax else None, self.weight, self.bias]
        self.y = self.maps if self.keeps_output else None
        self.masked = self.y if residual else None
        self.saved = [self.maps, self.maps, self.y, self.weight, self.kept]
        self._keeps_places = keeps_places
        tracked = [of_channels if mean else None, of_channels if var else None]
        seen = Form(torch.int64, 1) if batches else None
        inputs = self.forms([self.maps, self.maps if residual else None, *self.learned, *tracked, seen])
        self.addresses, self._addresses_of_any = inputs.reader(exact=True), inputs.reader(exact=False)
        # Of the gradients. Numbers for `new_empty`, which takes three times as long over a tuple.
        self._mix_size, self._channels = (count,) if options.softmax else (count, 2), channels
        self._passes_grad_on, self._softmax = residual and not self.keeps_output, options.softmax

    def forms(self, each: Sequence[Form | None]) -> Forms:
        """Return what the tensors of a call must be like, one form for each."""
        return Forms(self.signature.shape, self.signature.strides, each, self._keeps_places)

    def addresses_of_fitting(self, inputs: Inputs) -> bytes:
        """Return where inputs lie that have been made to fit.

        Raises:
            RuntimeError: One does not fit, or has no memory.
        """
        found = self._addresses_of_any(inputs)
        if found is None:
            raise RuntimeError(
                "a tensor of a SwitchNorm has no memory (its storage was freed), or is of a type, shape or place that "
                "its backend does not take"
            )
        return found

    @abstractmethod
    def forward(self, inputs: Inputs, addresses: bytes) -> tuple[Tensor, Tensor]:
        """Return the output and what is kept, and move the running statistics where there is a count."""

    @abstractmethod
    def backward(self, grad: Tensor, saved: Saved) -> Gradients:
        """Carry the gradient of the output, of any strides, back to the inputs.

        Raises:
            RuntimeError: A tensor has got another type, shape or place since forward.
        """

    def room_for_gradients(self, grad: Tensor, x: Tensor, kept: Tensor) -> Gradients:
        """Return tensors for the gradients; the residual's is `grad` itself unless a ReLU came after it."""
        few, channels = kept.new_empty, self._channels
        return Gradients._make(  # which takes a third of the time of a call by names
            (
                torch.empty_like(x),
                torch.empty_like(x) if self.masked is not None else grad if self._passes_grad_on else None,
                few(*self._mix_size),
                few(*self._mix_size) if self._softmax else None,
                few(channels) if self.weight is not None else None,
                few(channels) if self.bias is not None else None,
            )
        )

    def laid_out(self, grad: Tensor, saved: Saved) -> tuple[Tensor, Saved]:
        """Return them with all maps in the order that they had in forward.

        Raises:
            RuntimeError: They are, so what makes them not fit is that a tensor has changed.
        """
        x, y = self._in_order(saved.x), None if saved.y is None else self._in_order(saved.y)
        ordered = self._in_order(grad)
        if ordered is grad and x is saved.x and y is saved.y:
            # `tensor.data = other` leaves no trace that autograd would see.
            raise RuntimeError(
                "a tensor that the gradient of a SwitchNorm needs got other data after the forward pass, or stands for "
                'several (under `vmap` or `is_grads_batched`), which the backend "reference" alone can take'
            )
        return ordered, saved._replace(x=x, y=y)

    def _in_order(self, maps: Tensor) -> Tensor:
        dtype, shape, strides, device, *_ = self.signature
        if maps.shape != shape or maps.dtype is not dtype or maps.device != device:
            return maps
        maps = in_memory(maps)
        return maps if maps.stride() == strides else maps.new_empty_strided(shape, strides).copy_(maps)


def what_a_relu_keeps(keeps_output: bool, relu: bool, with_residual: bool) -> tuple[bool, bool]:
    """Return whether backward reads the output and whether it reads the bias: where a ReLU let values pass.

    Args:
        keeps_output: Of the backend.
        relu: Whether there is one.
        with_residual: Whether something was added before it.
    """
    output = relu and (keeps_output or with_residual)
    return output, relu and not output


class Backend(Protocol):
    """One way to compute the operator."""

    name: str
    keeps_output: bool
    """Whether backward needs the output of a layer that ends in a ReLU, also if nothing was added to it."""

    def obstacle(self, dtype: torch.dtype) -> str:
        """Say what keeps this backend from taking inputs of `dtype`, "" if nothing does."""

    def plan(self, signature: Signature) -> Plan:
        """Return how layers of a signature are computed."""
