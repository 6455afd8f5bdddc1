"""What a backend is given and what it returns: the layer as one operator, forward and backward.

Shapes: N images, C channels, K statistics that are mixed. Everything but the maps is of the type of the statistics.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from switchseg.norms.operator.layout import is_dense

STATISTICS = ("in", "ln", "bn")
"""What the backends can mix, in the order in which they are named; others are for the formula alone."""


class Inputs(NamedTuple):
    """The tensors of a layer."""

    x: Tensor
    """(N, C, ...), dense in the order of its shape or channels_last."""
    residual: Tensor | None
    """Like `x`: added to the normalized values."""
    mean_mix: Tensor
    """(K,), logits whose softmax says how much of each statistic the mean has; or the shares (K, 2) of both moments."""
    var_mix: Tensor | None
    """(K,), those of the variance; None where `mean_mix` holds the shares of both."""
    weight: Tensor | None
    """(C,)"""
    bias: Tensor | None
    """(C,)"""
    running_mean: Tensor | None = None
    """(C,): what "bn" stands for in evaluation; in training it follows the batches if there is a count of them."""
    running_var: Tensor | None = None
    """(C,)"""
    batches: Tensor | None = None
    """int64 (): how many batches the running statistics have seen, or None to leave them as they are."""

    def check_shapes(self, statistics: tuple[str, ...]) -> None:
        """Look whether the small tensors fit the maps: backends read memory, and cannot tell.

        Raises:
            ValueError: one does not.
        """
        channels, count = (self.x.shape[1],), len(statistics)
        mixes = (count, 2) if self.var_mix is None else (count,)
        wanted = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), channels)
        for name, shape in (wanted | {"mean_mix": mixes, "var_mix": mixes}).items():
            tensor = getattr(self, name)
            if tensor is not None and (tensor.shape != shape or tensor.device != self.x.device):
                raise ValueError(
                    f"{name} must be of shape {shape} on {self.x.device}, got {tuple(tensor.shape)} on {tensor.device}"
                )

    def are_plain(self, count: int) -> bool:
        """Return whether a backend can read all of them where they are, for a mixture of `count` statistics.

        It sees memory, and takes no other types, shapes or places. Written to touch little: behind a large map the
        caches are cold, and each line costs several times what it does in a loop.
        """
        x, _, mean_mix, var_mix, weight, bias, mean, var, batches = self
        if type(x) is not Tensor or not is_dense(x):
            return False
        device, channels = x.get_device(), x.shape[1]
        dtype = torch.float64 if x.dtype is torch.float64 else torch.float32
        size = 2 * count if var_mix is None else count
        return (
            is_plain(mean_mix, dtype, device, size)
            and (var_mix is None or is_plain(var_mix, dtype, device, size))
            and (weight is None or is_plain(weight, dtype, device, channels))
            and (bias is None or is_plain(bias, dtype, device, channels))
            and (mean is None or is_plain(mean, dtype, device, channels))
            and (var is None or is_plain(var, dtype, device, channels))
            and (batches is None or is_plain(batches, torch.int64, device, 1))
        )


# Not by `isinstance`: subclasses may keep their numbers elsewhere.
_PLAIN = (torch.nn.Parameter, Tensor)


def is_plain(few: Tensor, dtype: torch.dtype, device: int, count: int) -> bool:
    """Return whether these are `count` numbers in a row, of a type and in a place.

    `get_device` is -1 on the CPU, and takes a tenth of the time of comparing devices.
    """
    return (
        few.numel() == count
        and few.dtype is dtype
        and few.get_device() == device
        and few.is_contiguous()
        and type(few) in _PLAIN
    )


class Options(NamedTuple):
    """How a layer uses its tensors."""

    statistics: tuple[str, ...]
    """K of `STATISTICS`, in that order."""
    eps: float
    """Added to the mixed variance, inside the root."""
    momentum: float | None
    """The least weight of a new batch in the running statistics; None weights all batches alike."""
    relu: bool
    """Whether negative values become 0 at the end."""
    training: bool
    """Whether "bn" stands for the moments of this batch."""
    softmax: bool = True
    """Whether the mixes are logits."""
    group: str = ""
    """The processes that share batch moments, a name from `collective.name_group`; "" for this one alone."""

    def row_of(self, statistic: str) -> int:
        """Return the row of `statistic` in the shares, -1 if it is not mixed."""
        return self.statistics.index(statistic) if statistic in self.statistics else -1


class Saved(NamedTuple):
    """What backward reads of forward."""

    x: Tensor
    y: Tensor | None
    """The output, where a ReLU ended it and the backend does not work its sign out again."""
    weight: Tensor | None
    bias: Tensor | None
    """Where a ReLU ended the output and its sign is worked out again."""
    kept: Tensor
    """See `Kept`."""
    with_residual: bool
    with_bias: bool

    def check_unchanged(self, grad: Tensor) -> None:
        """Look whether all is still as forward left it: `tensor.data = other` leaves no trace that autograd would see.

        Raises:
            RuntimeError: a tensor has got another type, shape or place.
        """
        x, y, weight, bias, kept, *_ = self
        dtype, device, shape = x.dtype, x.get_device(), x.shape
        few, channels = torch.float64 if dtype is torch.float64 else torch.float32, shape[1]
        # What the gradient is like is what the output was like, which autograd has made sure of.
        if not (
            grad.dtype is dtype
            and grad.shape == shape
            and grad.get_device() == device
            and is_dense(x)
            and is_plain(kept, few, device, Kept.size(shape[0], channels))
            and (weight is None or is_plain(weight, few, device, channels))
            and (bias is None or is_plain(bias, few, device, channels))
            and (y is None or (y.dtype is dtype and y.shape == shape))
        ):
            raise RuntimeError("a tensor that the gradient of a SwitchNorm needs got other data after the forward pass")


class Gradients(NamedTuple):
    """Those of `Inputs`, None where there was no such input."""

    x: Tensor
    residual: Tensor | None
    mean_mix: Tensor
    var_mix: Tensor | None
    weight: Tensor | None
    bias: Tensor | None


def gradients_like(saved: Saved, options: Options, grad: Tensor, written: Tensor | None) -> Gradients:
    """Return room for the gradients that a backend writes.

    Args:
        saved: what forward left.
        options: of the layer.
        grad: of the output, which is the residual's too if no ReLU came after it.
        written: room for the residual's where a ReLU did, else None.
    """
    x, y, weight, _, kept, with_residual, with_bias = saved
    count, channels, few = len(options.statistics), x.shape[1], kept.new_empty
    return Gradients(
        torch.empty_like(x),
        grad if with_residual and y is None else written,
        few(count) if options.softmax else few(count, 2),
        few(count) if options.softmax else None,
        None if weight is None else few(channels),
        few(channels) if with_bias else None,
    )


class Kept:
    """The O(N C) numbers that forward keeps for backward, as views of one tensor.

    Args:
        tensor: of `Kept.size` elements.
        images: N.
        channels: C.
    """

    def __init__(self, tensor: Tensor, images: int, channels: int) -> None:
        rows = images * channels
        # One tensor is one allocation, one output of the operator and one address for the kernels.
        maps, layer, batch, shares = torch.split(tensor, [4 * rows, 2 * images, 2 * channels, 6])
        self.moments, mixed = maps.view(2, 2, images, channels).unbind()
        """The moments of every map, (2, N, C): mean and unbiased variance."""
        self.mean, self.rstd = mixed.unbind()
        """Mixed mean and 1 / sqrt(mixed variance + eps), (N, C) each."""
        self.layer = layer.view(2, images, 1)
        """LN moments."""
        self.batch = batch.view(2, 1, channels)
        """BN moments: those that were mixed."""
        self.shares = shares.view(3, 2)
        """Their first K rows are those that were mixed."""

    def clear_unused(self, options: Options) -> None:
        """Set to 0 what nothing writes or reads with `options`, so that equal calls keep equal numbers."""
        self.shares[len(options.statistics) :] = 0
        if "ln" not in options.statistics:
            self.layer.zero_()
        if "bn" not in options.statistics:
            self.batch.zero_()
        elif len(options.statistics) == 1 and not options.training:
            self.moments.zero_()

    @staticmethod
    def size(images: int, channels: int) -> int:
        """Return how many numbers are kept."""
        return 4 * images * channels + 2 * images + 2 * channels + 6


def what_a_relu_keeps(backend: Backend, relu: bool, with_residual: bool) -> tuple[bool, bool]:
    """Return whether backward reads the output and whether it reads the bias: where a ReLU let values pass."""
    keeps_output = relu and (backend.keeps_output or with_residual)
    return keeps_output, relu and not keeps_output


class Backend(Protocol):
    """One way to compute the operator."""

    name: str
    keeps_output: bool
    """Whether backward needs the output of a layer that ends in a ReLU, also if nothing was added to it."""

    def obstacle(self, dtype: torch.dtype) -> str:
        """Say what keeps this backend from taking inputs of `dtype`, "" if nothing does."""

    def forward(self, inputs: Inputs, options: Options) -> tuple[Tensor, Tensor]:
        """Return the output and what is kept, and move the running statistics where there is a count."""

    def backward(self, grad: Tensor, saved: Saved, options: Options) -> Gradients:
        """Carry the gradient of the output, of any strides, back to the inputs."""
