"""The kinds of norms: the one table of all that is known of a norm by its name, and the gate for what users pass.

A factory makes the layers of a kind: `factory(num_features, *, device=None, dtype=None)`. A layer takes (N, C, ...)
and returns the same shape. Nothing else is asked of it; what torch's own have is used where it is there: `eps`;
`weight` and `bias` (C,), which may be None if there is `affine`; `running_mean` and `running_var` (C,) with
`num_batches_tracked`, which move by `momentum` and average evenly where that is None.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, MutableMapping, Set
from dataclasses import dataclass
from functools import partial, update_wrapper
from typing import Any, NamedTuple

import torch
from torch import nn

from switchseg.norms import plain
from switchseg.norms.modules import SwitchNorm1d, SwitchNorm2d, SwitchNorm3d
from switchseg.norms.sparse import (
    SparseSwitchNorm1d,
    SparseSwitchNorm2d,
    SparseSwitchNorm3d,
    SyncSparseSwitchNorm1d,
    SyncSparseSwitchNorm2d,
    SyncSparseSwitchNorm3d,
)
from switchseg.norms.synced import SyncBatchNorm, SyncSwitchNorm1d, SyncSwitchNorm2d, SyncSwitchNorm3d

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


@dataclass(frozen=True)
class Kind:
    """What is known of a norm by its name."""

    name: str
    """What configs and command lines call it; how papers write it follows from that (`reports.runs.norm_title`)."""
    factories: Factories
    family: str
    """Kinds of one family keep the same tensors, so that one may take over from another."""
    like_batch_norm: bool = False
    """Whether it has running statistics and can start with the evaluation output of a BatchNorm."""
    mixes: int = 0
    """How many statistics it mixes: the length of its mixing weights in a file; 0 for a norm without any."""
    layout: str | None = None
    """Whose files hold it, `2018` or `mit`; None where neither has a place for it."""

    @property
    def factory(self) -> Factory:
        """The maker of layers for (N, C, H, W)."""
        return self.factories.two

    @property
    def is_batch_norm(self) -> bool:
        """Whether it is BatchNorm itself, synchronised or not."""
        return self.family == "bn"


def _mixing_two(layer: Factory) -> Factory:
    return partial(layer, statistics=("in", "ln"))


_BATCH_NORM = Factories(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, plain.BatchNorm)
# None of these layers takes inputs of any dimensions: for several, `convert_norms` takes the one for images, and tells
# it (`input_dims`) which they are.
_SN = Factories(SwitchNorm1d, SwitchNorm2d, SwitchNorm3d, SwitchNorm2d)
_SN_IN_LN = Factories(*map(_mixing_two, _SN))
_SYNC_SN = Factories(SyncSwitchNorm1d, SyncSwitchNorm2d, SyncSwitchNorm3d, SyncSwitchNorm2d)
_SPARSE = Factories(SparseSwitchNorm1d, SparseSwitchNorm2d, SparseSwitchNorm3d, SparseSwitchNorm2d)
_SYNC_SPARSE = Factories(SyncSparseSwitchNorm1d, SyncSparseSwitchNorm2d, SyncSparseSwitchNorm3d, SyncSparseSwitchNorm2d)

# Where several kinds have one layout and mix as many statistics, files are read as the first of them.
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("bn", _BATCH_NORM, "bn", like_batch_norm=True, layout="mit"),
        Kind("syncbn", Factories.same(SyncBatchNorm), "bn", like_batch_norm=True, layout="mit"),
        Kind("gn", Factories.same(plain.group_norm), "gn"),
        Kind("in", Factories.same(plain.instance_norm), "in"),
        Kind("ln", Factories.same(plain.layer_norm), "ln"),
        Kind("sn", _SN, "sn", like_batch_norm=True, mixes=3, layout="2018"),
        Kind("sn_in_ln", _SN_IN_LN, "sn_in_ln", mixes=2, layout="2018"),
        Kind("syncsn", _SYNC_SN, "sn", like_batch_norm=True, mixes=3, layout="2018"),
        Kind("ssn", _SPARSE, "ssn", like_batch_norm=True, mixes=3),
        Kind("syncssn", _SYNC_SPARSE, "ssn", like_batch_norm=True, mixes=3),
    )
}


def find_kind(norm: str | Factory | Kind) -> Kind:
    """Return the kind that `norm` means: the gate that every `norm=` and `to=` passes.

    Args:
        norm: a name; the class of a layer; or a callable that takes the number of channels and makes a layer. It is
            given `device` and `dtype` if it takes them, else its layer is moved.

    Raises:
        ValueError: there is no norm of that name.
        TypeError: `norm` is none of these.
    """
    if isinstance(norm, Kind):
        return norm
    if isinstance(norm, str):
        if norm not in KINDS:
            raise ValueError(f"unknown norm {norm!r}; the norms are {', '.join(KINDS)}")
        return KINDS[norm]
    if not callable(norm) or isinstance(norm, nn.Module):
        raise TypeError(
            f"norm must be a name ({', '.join(KINDS)}), a class or a callable that makes a layer for a number of "
            f"channels, got {norm!r}"
        )
    # Unwrapped, since a registered callable may stand in the table within `_keeping_the_contract`.
    known = next((kind for kind in KINDS.values() if norm in map(inspect.unwrap, kind.factories)), None)
    return known or Kind(_name_of(norm), Factories.same(_keeping_the_contract(norm)), _name_of(norm))


def find_norm(name: str, dims: int = 2) -> Factory:
    """Return the factory called `name` of layers for maps with 1, 2 or 3 dimensions, `NORMS[name]` for 2.

    Raises:
        ValueError: there is no norm of that name.
    """
    return find_kind(name).factories[dims - 1]


def register_norm(
    name: str,
    factory: Factory,
    *,
    factory_1d: Factory | None = None,
    factory_3d: Factory | None = None,
    like_batch_norm: bool = False,
) -> None:
    """Add a norm that configs, command lines, models and conversions then know by `name`.

    Args:
        name: small letters, digits and underscores.
        factory: makes a layer for (N, C, H, W), and for other inputs too if nothing else does; see `find_kind`.
        factory_1d: makes one for (N, C) and (N, C, L).
        factory_3d: makes one for (N, C, D, H, W).
        like_batch_norm: whether the layers keep running statistics under the names of `nn.BatchNorm2d` and, in
            evaluation, compute what it does: then they may start from a BatchNorm.

    Raises:
        ValueError: the name is taken, or is no such name.
        TypeError: a factory cannot be called.
    """
    if not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise ValueError(f"the name of a norm has small letters, digits and underscores, got {name!r}")
    if name in KINDS:
        raise ValueError(f"there is a norm {name!r} already; del NORMS[{name!r}] first, or take another name")
    given = (factory_1d or factory, factory, factory_3d or factory, factory)
    if not all(map(callable, given)):
        raise TypeError(f"norm {name!r} needs a callable that makes a layer for a number of channels, got {factory!r}")
    factories = Factories(*map(_keeping_the_contract, given))
    KINDS[name] = Kind(name, factories, family=name, like_batch_norm=like_batch_norm)


class Norms(MutableMapping[str, Factory]):
    """Name -> factory of layers for (N, C, H, W), the `norm_layer` of other libraries; an entry is `register_norm`."""

    def __getitem__(self, name: str) -> Factory:
        return KINDS[name].factory

    def __setitem__(self, name: str, factory: Factory) -> None:
        register_norm(name, factory)

    def __delitem__(self, name: str) -> None:
        del KINDS[name]

    def __iter__(self) -> Iterator[str]:
        return iter(KINDS)

    def __len__(self) -> int:
        return len(KINDS)


NORMS = Norms()


def _name_of(factory: Any) -> str:
    made = factory.func if isinstance(factory, partial) else factory
    return f"{made.__module__}.{getattr(made, '__qualname__', type(made).__qualname__)}"


def _keeping_the_contract(factory: Factory) -> Factory:
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
