"""What makes the layers of a norm.

A factory makes the layers of a kind: `factory(num_features, *, device=None, dtype=None)`. A layer takes (N, C, ...)
and returns the same shape. Nothing else is asked of it; what torch's own have is used where it is there: `eps`;
`weight` and `bias` (C,), which may be None if there is `affine`; `running_mean` and `running_var` (C,) with
`num_batches_tracked`, which move by `momentum` and average evenly where that is None.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Set
from functools import update_wrapper
from typing import NamedTuple

import torch
from torch import nn

Factory = Callable[..., nn.Module]


class Factories(NamedTuple):
    """Makers of layers for (N, C) and (N, C, L); for (N, C, H, W); for (N, C, D, H, W); and for all of these."""

    one: Factory
    two: Factory
    three: Factory
    any: Factory

    @classmethod
    def same(cls, factory: Factory) -> Factories:
        """Return one maker for all."""
        return cls(factory, factory, factory, factory)

    def for_inputs(self, dims: Set[int]) -> Factory:
        """Return the maker of layers for inputs with any of `dims` dimensions, N and C among them."""
        for factory, limits in ((self.one, {2, 3}), (self.two, {4}), (self.three, {5})):
            if dims <= limits:
                return factory
        return self.any


def keeping_the_contract(factory: Factory) -> Factory:
    """Return `factory`, or one that passes it the channels alone and moves what it makes."""
    parameters = inspect.signature(factory).parameters
    # Whoever takes any keyword is thought to hand them on to a layer, and ours and torch's know these two.
    takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    if takes_all or {"device", "dtype"} <= set(parameters):
        return factory

    def make(
        num_features: int, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> nn.Module:
        # Made on the device where the factory leaves that to torch; `to` moves what it put elsewhere, and sets types.
        with torch.device(torch.get_default_device() if device is None else device):
            return factory(num_features).to(device=device, dtype=dtype)

    return update_wrapper(make, factory, assigned=(), updated=())  # so that `find_kind` knows it again
