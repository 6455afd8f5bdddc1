"""What a backend is given and what it returns: the layer as one operator, forward and backward.

Shapes: N images, C channels, K statistics that are mixed. Everything but the maps is of the type of the statistics.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from switchseg.norms.operator.layout import dense, in_memory, laid_out_like

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
        """Look whether the maps lie in memory and the small tensors fit them: backends read it, and cannot tell.

        Raises:
            ValueError: they do not.
        """
        if self.x.layout is not torch.strided:
            raise ValueError(f"an input of the layout {torch.strided} is needed, got {self.x.layout}")
        channels, count = (self.x.shape[1],), len(statistics)
        mixes = (count, 2) if self.var_mix is None else (count,)
        wanted = dict.fromkeys(("weight", "bias", "running_mean", "running_var"), channels)
        for name, shape in (wanted | {"mean_mix": mixes, "var_mix": mixes}).items():
            tensor = getattr(self, name)
            if tensor is not None and (tensor.shape != shape or tensor.device != self.x.device):
                raise ValueError(
                    f"{name} must be of shape {shape} on {self.x.device}, got {tuple(tensor.shape)} on {tensor.device}"
                )

    def laid_out(self) -> Inputs:
        """Return them as their memory is read, with dense maps in the same order; autograd follows."""
        x, residual, *few = [None if each is None else in_memory(each) for each in self]
        assert x is not None
        x = dense(x)
        return Inputs(x, None if residual is None else laid_out_like(x, residual), *few)  # type: ignore[arg-type]


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


class Gradients(NamedTuple):
    """Those of `Inputs`, None where there was no such input."""

    x: Tensor
    residual: Tensor | None
    mean_mix: Tensor
    var_mix: Tensor | None
    weight: Tensor | None
    bias: Tensor | None


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
