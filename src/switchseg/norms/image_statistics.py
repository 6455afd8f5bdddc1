"""The moments of whole images, gathered from tiles: for norms that would use those of every tile instead.

Once its moments are given, every norm is a BatchNorm in evaluation.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.instancenorm import _InstanceNorm

from switchseg.norms.modules import SwitchNorm
from switchseg.norms.recognise import Norm, recognise
from switchseg.norms.reference import statistics_dtype
from switchseg.norms.statistics import MERGES, merge_moments

Part = Sequence[tuple[float, float]]
"""Where a part of a tile begins and ends along each of its sides, as fractions of them."""


class Moments(NamedTuple):
    """Of each channel of one image."""

    values: int
    """How many values per channel they are of."""
    mean: Tensor
    """(1, C)"""
    squares: Tensor
    """(1, C), the sum of the squared deviations from the mean."""


# Of each model, since others may gather statistics of the same one; reentrant, since they may do so for each other.
_LOCKS: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()

Mixed = Callable[[Any, Moments], tuple[Tensor, Tensor]]
"""A norm and the moments of an image -> the mean and the variance (1, C) to normalize with."""


class ImageStatistics:
    """Lets the norms of a model normalize tiles with the moments of the image that these are cut from.

    Concerned are Instance- and GroupNorm (LayerNorm of images is one of its kinds) and Switchable Normalization, in
    evaluation. The moments of a layer follow from those of all layers before it: tiles that go through the model side
    by side, as one batch, give exact ones. Of several batches each is normalized with what is known of the others by
    then, so going through them again, a few times, comes near to the exact ones. Any tiles may follow:

        with statistics.attached():
            for _ in range(rounds):
                for index, tiles in enumerate(batches):
                    statistics.gather([what_counts_of(tile) for tile in tiles], index)
                    model(torch.stack(tiles))
            statistics.keep()
            outputs = model(torch.stack(other_tiles))

    Args:
        model: in evaluation mode.
    """

    def __init__(self, model: nn.Module) -> None:
        self._lock = _LOCKS.setdefault(model, threading.RLock())
        self._layers = [
            _Layer(module, mixed, tuple(norm.followers.values()))
            for module in model.modules()
            if (mixed := _mixed_by(module)) is not None and isinstance(norm := recognise(module), Norm)
        ]

    def __len__(self) -> int:
        """Return how many norms depend on the image."""
        return len(self._layers)

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Take over the norms of what this thread runs while the context lasts; others that attach wait."""
        with self._lock:
            for layer in self._layers:
                layer.take_over(threading.get_ident())
            try:
                yield
            finally:
                for layer in reversed(self._layers):
                    layer.give_back()

    def gather(self, parts: Sequence[Part], batch: int = 0) -> None:
        """Say that the next batch is of tiles whose moments are, with those of other batches, those of the image.

        Args:
            parts: for each tile, what of it counts: tiles may overlap, while every pixel is to count once.
            batch: which one it is: its moments take the place of those that it had before.
        """
        for layer in self._layers:
            layer.calls, layer.parts, layer.batch = 0, parts, batch

    def keep(self) -> None:
        """Say that the next batch is to be normalized with the moments that were gathered."""
        for layer in self._layers:
            layer.calls, layer.parts = 0, None


class _Layer:
    """A norm, and the moments of its inputs by the number of the call in a pass, and by the batch."""

    def __init__(self, module: nn.Module, mixed: Mixed, followers: Sequence[nn.Module]) -> None:
        self._module: Any = module
        self._mixed, self._followers = mixed, followers
        self._gathered: dict[int, dict[int, Moments]] = {}
        self._mixtures: dict[int, tuple[Tensor, Tensor]] = {}
        self._thread = 0
        self._own: Any = None
        """The `forward` that was taken over, bound."""
        self._replaced: Any = None
        """The same, if it was the instance's own and not its class's."""
        self.calls = 0
        self.batch = 0
        self.parts: Sequence[Part] | None = None

    def take_over(self, thread: int) -> None:
        self._thread = thread
        # On the instance, where `__call__` finds it first; somebody may have put another one there before.
        self._replaced = vars(self._module).get("forward")
        self._own = self._module.forward
        self._module.forward = self._forward

    def give_back(self) -> None:
        if self._replaced is None:
            del self._module.forward
        else:
            self._module.forward = self._replaced
        self._gathered, self._mixtures = {}, {}

    def _forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        module = self._module
        # A model may serve several threads, and the others have given no moments.
        if threading.get_ident() != self._thread:
            return self._own(x, *([] if residual is None else [residual]))  # type: ignore[no-any-return]
        if self.parts is not None:
            gathered = self._gathered.setdefault(self.calls, {})
            gathered[self.batch] = _moments(x, self.parts)
            self._mixtures[self.calls] = self._mixed(module, _merged([*gathered.values()]))
        # By the number of the call: a norm that is used twice in a pass has other inputs each time.
        mean, var = self._mixtures[self.calls]
        self.calls += 1
        weight, bias = (None if few is None else few.to(mean.dtype) for few in (module.weight, module.bias))
        y = F.batch_norm(x, mean.flatten(), var.flatten(), weight, bias, eps=module.eps)
        if residual is not None:
            y = y + residual
        for follower in self._followers:
            y = follower(y)
        return y


def _moments(x: Tensor, parts: Sequence[Part]) -> Moments:
    """Return the moments of what counts of each of the tiles (N, C, ...)."""
    x = x.to(statistics_dtype(x.dtype))
    cut = [tile[(slice(None), *_slices(part, tile.shape[1:]))] for tile, part in zip(x, parts, strict=True)]
    # A tile may count less than a cell of the deepest maps.
    values = [each.flatten(1) for each in cut if each.numel()] or [*x.flatten(2)]
    pairs = [torch.var_mean(each, 1, correction=0) for each in values]
    counts = [each.shape[1] for each in values]
    return _merged([Moments(n, mean[None], n * var[None]) for n, (var, mean) in zip(counts, pairs, strict=True)])


def _merged(moments: Sequence[Moments]) -> Moments:
    """Return the moments of the values of all."""
    count = sum(each.values for each in moments)
    means, squares = (torch.cat(each) for each in zip(*((each.mean, each.squares) for each in moments), strict=True))
    counts = means.new_tensor([each.values for each in moments])[:, None]
    mean = (means * (counts / count)).sum(0, keepdim=True)
    # Deviations from the common mean, not E[x^2] - E[x]^2, which cancels.
    return Moments(count, mean, (squares + counts * (means - mean).square()).sum(0, keepdim=True))


def _slices(part: Part, sides: Sequence[int]) -> list[slice]:
    return [slice(round(low * side), round(high * side)) for (low, high), side in zip(part, sides, strict=True)]


def _mixed_by_switch_norm(module: Any, moments: Moments) -> tuple[Tensor, Tensor]:
    statistics, shares = module.mixture()
    # Unbiased as in the layer, where the variance of a single element is 0.
    own = moments.mean, moments.squares / max(moments.values - 1, 1)
    mean, var = torch.zeros_like(own[0]), torch.zeros_like(own[1])
    for name, (of_mean, of_var) in zip(statistics, shares, strict=True):
        merged = (module.running_mean, module.running_var) if name == "bn" else MERGES[name](*own, 0)
        mean, var = mean + of_mean * merged[0], var + of_var * merged[1]
    return mean, var


def _mixed_by_group_norm(module: Any, moments: Moments) -> tuple[Tensor, Tensor]:
    mean, var = (each.view(module.num_groups, -1) for each in (moments.mean, moments.squares / moments.values))
    merged_mean, merged_var = merge_moments(mean, var, 1)
    return merged_mean.expand_as(mean).reshape(1, -1), merged_var.expand_as(mean).reshape(1, -1)


def _mixed_by_instance_norm(module: Any, moments: Moments) -> tuple[Tensor, Tensor]:
    return moments.mean, moments.squares / moments.values


def _mixed_by(module: nn.Module) -> Mixed | None:
    """Return what makes a mean and a variance per channel of an image's moments; None for what depends on no image."""
    if isinstance(module, SwitchNorm):
        return None if module.statistics == ("bn",) else _mixed_by_switch_norm
    if isinstance(module, nn.GroupNorm):
        return _mixed_by_group_norm
    # With running moments it is a BatchNorm in evaluation, and no tile changes those.
    if isinstance(module, _InstanceNorm) and module.running_mean is None:
        return _mixed_by_instance_norm
    return None
